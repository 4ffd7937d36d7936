"""Raw requests, each with the section of the RFC that says how a server responds, and the statuses of that.

Sections are of RFC 9110 (HTTP semantics) or RFC 9112 (HTTP/1.1), as "9112 3.2".
"""

from typing import NamedTuple

SPEC = b'{"shape":[5,7],"seed":1}'
HOST = b"Host: test\r\n"
GET = b"GET /livez HTTP/1.1\r\n"
POST = b"POST /v1/parameters HTTP/1.1\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(SPEC)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SPEC), SPEC)
END = b"\r\n"


class Row(NamedTuple):
    """A row: section, what is sent, the bytes, and the status of each response."""

    section: str
    what: str
    sent: bytes
    statuses: tuple[int, ...]


def get(section: str, what: str, fields: bytes, *statuses: int) -> Row:
    """Make a row of a GET with fields behind Host."""
    return Row(section, what, GET + HOST + fields + END, statuses)


def post(section: str, what: str, fields: bytes, body: bytes, *statuses: int) -> Row:
    """Make a row of a POST with fields behind Host, and a body."""
    return Row(section, what, POST + HOST + fields + END + body, statuses)


def send_host(value: bytes, *statuses: int) -> Row:
    """Make a row of a GET with a value of Host."""
    return Row(
        "9112 3.2", f"host {value.decode('latin-1')!r}", GET + b"Host: " + value + b"\r\n\r\n", statuses
    )


def send_line(section: str, line: bytes, *statuses: int) -> Row:
    """Make a row of a request line with Host."""
    return Row(section, repr(line)[2:-1], line + b"\r\n" + HOST + END, statuses)


HOSTS = [
    *(
        send_host(value, 200)
        for value in (
            b"test",
            b"test:8000",
            b"test:",
            b"",
            b"127.0.0.1",
            b"127.0.0.1:8000",
            b"[::1]",
            b"[::1]:8000",
            b"a.b-c.d_e~f",
            b"TEST.example",
            b"%61",
            b"a,b",
        )
    ),
    *(
        send_host(value, 400)
        for value in (
            b"a b",
            b"a/b",
            b"a?b",
            b"a#b",
            b"user@test",
            b"http://test",
            b"test:80:80",
            b"test:port",
            b"test:-1",
            b"[::1",
            b"::1",
            b"[test]",
            b"a\\b",
            b"a\tb",
            b"\xff",
            b'"test"',
            b"<test>",
            b"a|b",
            b"{a}",
            b"a^b",
            b"a`b",
        )
    ),
    Row("9112 3.2", "no Host", GET + END, (400,)),
    Row("9112 3.2", "Host twice", GET + HOST + HOST + END, (400,)),
    Row("9112 3.2", "Host twice, unlike", GET + HOST + b"host: other\r\n" + END, (400,)),
    Row("9112 3.2", "Host among others", GET + b"A: a\r\n" + HOST + b"B: b\r\n" + END, (200,)),
    Row("9112 3.2", "Host in capitals", GET + b"HOST: test\r\n" + END, (200,)),
    Row("9112 3.2", "HTTP/1.0 without Host", b"GET /livez HTTP/1.0\r\n\r\n", (200,)),
    Row("9112 3.2", "HTTP/1.0 with Host twice", b"GET /livez HTTP/1.0\r\n" + HOST + HOST + END, (400,)),
]

TARGETS = [
    send_line("9112 3.2.1", b"GET /livez HTTP/1.1", 200),
    send_line("9112 3.2.1", b"GET /livez? HTTP/1.1", 200),
    send_line("9112 3.2.1", b"GET /%6civez HTTP/1.1", 200),
    send_line("9112 3.2.1", b"GET /LIVEZ HTTP/1.1", 404),
    send_line("9112 3.2.1", b"GET //livez HTTP/1.1", 404),
    send_line("9112 3.2.1", b"GET /./livez HTTP/1.1", 404),
    send_line("9112 3.2.1", b"GET /livez/ HTTP/1.1", 404),
    send_line("9112 3.2.1", b"GET /livez;a HTTP/1.1", 404),
    send_line("9112 3.2.1", b"GET livez HTTP/1.1", 400),
    send_line("9112 3.2.1", b"GET /livez#a HTTP/1.1", 200),
    send_line("9112 3.2.2", b"GET http://test/livez HTTP/1.1", 200),
    send_line("9112 3.2.2", b"GET http://other:80/livez HTTP/1.1", 200),
    send_line("9112 3.2.3", b"CONNECT test:80 HTTP/1.1", 501),
    send_line("9112 3.2.3", b"CONNECT / HTTP/1.1", 501),
    send_line("9112 3.2.4", b"OPTIONS * HTTP/1.1", 204),
    send_line("9112 3.2.4", b"GET * HTTP/1.1", 400),
    send_line("9112 3.2.4", b"POST * HTTP/1.1", 400),
    send_line("9112 3.2.4", b"HEAD * HTTP/1.1", 400),
    send_line("9112 3", b"GET  /livez HTTP/1.1", 200),
    send_line("9112 3", b"GET\t/livez HTTP/1.1", 400),
    send_line("9112 3", b" GET /livez HTTP/1.1", 400),
    send_line("9112 3", b"GET /a b HTTP/1.1", 400),
    send_line("9112 3", b"GET /\x01 HTTP/1.1", 400),
    send_line("9112 3", b"GET /\x7f HTTP/1.1", 400),
    send_line("9112 3", b"GET /\x00 HTTP/1.1", 400),
    send_line("9112 3", b"GET", 400),
    send_line("9112 3", b"GARBAGE", 400),
    send_line("9112 3", b"GET /livez FOO/1.1", 400),
    send_line("9112 3", b"GET /livez HTTP/1.1 ", 400),
    send_line("9112 3", b"GET /livez HTTP/1.1 a", 400),
    send_line("9112 3", b"GET /livez http/1.1", 400),
]

METHODS = [
    send_line("9110 9.3.1", b"GET /livez HTTP/1.1", 200),
    send_line("9110 9.3.2", b"HEAD /livez HTTP/1.1", 200),
    send_line("9110 9.3.7", b"OPTIONS /livez HTTP/1.1", 204),
    *(
        send_line("9110 9.1", method + b" /livez HTTP/1.1", 405)
        for method in (
            b"POST",
            b"PUT",
            b"DELETE",
            b"TRACE",
            b"PATCH",
            b"PROPFIND",
            b"LOCK",
            b"SEARCH",
            b"PURGE",
        )
    ),
    *(
        send_line("9110 9.1", method + b" /livez HTTP/1.1", 501)
        for method in (b"BREW", b"get", b"Get", b"GETT", b"X-A", b"A!#$%&'*+.^_`|~", b"QUERYS")
    ),
    *(
        send_line("9110 9.1", method + b" /livez HTTP/1.1", 400)
        for method in (b"G(T", b"G@T", b"\xff", b"G\x00T")
    ),
]

VERSIONS = [
    *(
        send_line("9110 15.6.6", b"GET /livez HTTP/" + version, 505)
        for version in (b"0.9", b"1.2", b"1.9", b"2.0", b"3.0", b"9.9")
    ),
    *(
        send_line("9112 2.3", b"GET /livez HTTP/" + version, 400)
        for version in (b"1", b"11", b"1.", b".1", b"a.b", b"-1.1", b"1,1")
    ),
    Row("9112 2.3", "HTTP/2 without prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505,)),
    Row("9112 2.3", "a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400,)),
]

FIELDS = [
    get("9112 5", "an empty value", b"A:\r\n", 200),
    get("9112 5", "white space around a value", b"A: \t a \t\r\n", 200),
    get("9112 5", "no space behind the colon", b"A:a\r\n", 200),
    get("9112 5.1", "a space before the colon", b"A : a\r\n", 400),
    get("9112 5.1", "a tab before the colon", b"A\t: a\r\n", 400),
    get("9112 5.1", "a space before the name", b" A: a\r\n", 400),
    get("9112 5", "no colon", b"A\r\n", 400),
    get("9112 5", "no name", b": a\r\n", 400),
    get("9112 5.2", "a folded line", b"A: a\r\n b\r\n", 400),
    get("9112 5.2", "a line folded by a tab", b"A: a\r\n\tb\r\n", 400),
    get("9110 5.5", "octets beyond ASCII", b"A: \xe4\xff\r\n", 200),
    get("9110 5.5", "a null", b"A: a\x00b\r\n", 400),
    get("9110 5.5", "a control character", b"A: a\x01b\r\n", 400),
    get("9110 5.5", "a delete", b"A: a\x7fb\r\n", 400),
    get("9110 5.5", "a bare CR", b"A: a\rb\r\n", 400),
    *(
        get("9110 5.1", f"a name with {chr(letter)!r}", b"A" + bytes([letter]) + b"B: a\r\n", status)
        for letters, status in ((b"!#$%&'*+-.^_`|~09", 200), (b'"(),/;<=>?@[\\]{} \xff', 400))
        for letter in letters
    ),
    Row("9112 2.2", "lines that end with LF", b"GET /livez HTTP/1.1\nHost: test\n\n", (400,)),
    Row("9112 2.2", "a field that ends with LF", GET + b"Host: test\n\r\n", (400,)),
    Row("9112 2.2", "an empty line before", b"\r\n" + GET + HOST + END, (200,)),
    Row("9112 2.2", "empty lines before", b"\r\n\r\n\r\n" + GET + HOST + END, (200,)),
    Row("9112 2.2", "white space behind the request line", GET + b" \r\n" + HOST + END, (400,)),
    get("9110 5.4", "a field of 60 KB", b"A: " + b"a" * 60_000 + b"\r\n", 200),
    get("9110 5.4", "a field of 70 KB", b"A: " + b"a" * 70_000 + b"\r\n", 431),
    get("9110 5.4", "fields of 70 KB", b"A: a\r\n" * 36_000, 431),
]

CODINGS = [
    post("9112 6.1", "chunked", CHUNKED, CHUNKS, 200),
    post("9112 6.1", "Chunked in capitals", b"Transfer-Encoding: CHUNKED\r\n", CHUNKS, 200),
    *(
        post("9112 6.1", coding.decode(), b"Transfer-Encoding: " + coding + b"\r\n", CHUNKS, 501)
        for coding in (
            b"gzip, chunked",
            b"deflate, chunked",
            b"identity, chunked",
            b"foo",
            b"gzip",
            b"identity",
            b"x-chunked",
        )
    ),
    post("9112 6.1", "chunked twice", b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS, 400),
    post("9112 6.1", "chunked in two fields", CHUNKED + CHUNKED, CHUNKS, 400),
    post("9112 6.3", "chunked, but not last", b"Transfer-Encoding: chunked, gzip\r\n", CHUNKS, 400),
    Row(
        "9112 6.1",
        "chunked in HTTP/1.0",
        POST.replace(b"1.1", b"1.0") + HOST + CHUNKED + END + CHUNKS,
        (400,),
    ),
    post("9112 6.3", "a length and chunks", CHUNKED + LENGTH, CHUNKS, 400),
    post("9112 6.3", "chunks and a length", LENGTH + CHUNKED, CHUNKS, 400),
    post("9112 7.1.1", "an extension", CHUNKED, CHUNKS.replace(b"\r\n{", b";a=b\r\n{"), 200),
    post("9112 7.1", "a size in capitals", CHUNKED, CHUNKS.replace(b"18", b"18"), 200),
    post("9112 7.1", "a size with zeros", CHUNKED, b"000" + CHUNKS, 200),
    *(
        post("9112 7.1", f"a size of {size!r}", CHUNKED, size + b"\r\n" + SPEC + b"\r\n0\r\n\r\n", 400)
        for size in (
            b"zz",
            b"-18",
            b"+18",
            b"0x18",
            b"",
            b" 18",
            b"1 8",
            b"18 ",
            b"1_8",
            b"ffffffffffffffffff",
        )
    ),
    post(
        "9112 7.1", "a chunk that is longer than its size", CHUNKED, b"5\r\n" + SPEC + b"\r\n0\r\n\r\n", 400
    ),
    post("9112 7.1", "chunk lines that end with LF", CHUNKED, CHUNKS.replace(b"\r\n", b"\n"), 400),
    post("9110 6.5.1", "trailers", CHUNKED, CHUNKS[:-2] + b"A: a\r\n\r\n", 200),
    post("9110 6.5.1", "Content-Type as a trailer", CHUNKED, CHUNKS[:-2] + b"Content-Type: a/b\r\n\r\n", 200),
    post("9110 6.5.1", "Host as a trailer", CHUNKED, CHUNKS[:-2] + HOST + END, 200),
    Row(
        "9110 6.5.1",
        "Content-Type as a trailer alone",
        POST.partition(b"Content-Type")[0]
        + HOST
        + CHUNKED
        + END
        + CHUNKS[:-2]
        + POST.partition(END)[2]
        + END,
        (415,),
    ),
]

LENGTHS = [
    post("9110 8.6", "a length", LENGTH, SPEC, 200),
    post("9110 8.6", "a length with zeros", b"Content-Length: 00024\r\n", SPEC, 200),
    *(
        post(
            "9110 8.6", f"a length of {length.decode()!r}", b"Content-Length: " + length + b"\r\n", SPEC, 400
        )
        for length in (
            b"+24",
            b"-24",
            b"24a",
            b"0x18",
            b"2 4",
            b"24.0",
            b"24,24",
            b"24, 25",
            b"1e1",
            b"9" * 30,
        )
    ),
    post("9110 15.5.16", "a coded body", b"Content-Encoding: gzip\r\n" + LENGTH, SPEC, 415),
    post("9110 8.4", "a body without a coding", b"Content-Encoding: identity\r\n" + LENGTH, SPEC, 200),
    post("9112 6.3", "two equal lengths", LENGTH + LENGTH, SPEC, 400),
    post("9112 6.3", "two lengths", LENGTH + b"Content-Length: 5\r\n", SPEC, 400),
    post("9110 15.5.14", "a body that is too long", b"Content-Length: 70000\r\n", b"", 413),
    post("9110 8.6", "no body", b"", b"", 400),
    Row("9110 9.3.1", "a GET with a body", GET + HOST + LENGTH + END + SPEC, (200,)),
]

UPGRADES = [
    get(
        "9110 7.8",
        "h2c",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
        200,
    ),
    get("9110 7.8", "websocket", b"Connection: Upgrade\r\nUpgrade: websocket\r\n", 200),
    get("9110 7.8", "Upgrade without Connection", b"Upgrade: h2c\r\n", 200),
    get("9110 7.8", "TLS/1.0", b"Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n", 200),
    post("9110 7.8", "h2c with a body", b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH, SPEC, 200),
    post("9110 7.8", "h2c with chunks", b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + CHUNKED, CHUNKS, 200),
    Row(
        "9110 7.8",
        "h2c twice, with bodies",
        2 * (POST + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH + END + SPEC),
        (200, 200),
    ),
    Row(
        "9110 7.8",
        "h2c in HTTP/1.0",
        GET.replace(b"1.1", b"1.0") + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + END,
        (200,),
    ),
]

PIPELINES = [
    Row("9112 9.3.2", "two requests", 2 * (GET + HOST + END), (200, 200)),
    Row("9112 9.3.2", "a hundred requests", 100 * (GET + HOST + END), 100 * (200,)),
    Row(
        "9112 9.3.2",
        "a request behind a body",
        POST + HOST + LENGTH + END + SPEC + GET + HOST + END,
        (200, 200),
    ),
    Row(
        "9112 9.3.2",
        "a request behind chunks",
        POST + HOST + CHUNKED + END + CHUNKS + GET + HOST + END,
        (200, 200),
    ),
    Row("9112 9.3.2", "garbage behind two", 2 * (GET + HOST + END) + b"\x00\x01\r\n\r\n", (200, 200, 400)),
    Row("9112 9.3.2", "no Host behind two", 2 * (GET + HOST + END) + GET + END, (200, 200, 400)),
    Row(
        "9112 9.3.2",
        "an unknown method behind one",
        GET + HOST + END + b"BREW / HTTP/1.1\r\n\r\n",
        (200, 501),
    ),
    Row("9112 9.3.2", "HTTP/2 behind one", GET + HOST + END + b"GET / HTTP/2.0\r\n\r\n", (200, 505)),
    Row(
        "9112 9.3.2",
        "bad chunks behind one",
        GET + HOST + END + POST + HOST + CHUNKED + END + b"z\r\n",
        (200, 400),
    ),
    Row(
        "9112 9.3.2",
        "requests behind garbage",
        GET + HOST + END + b"\x00\r\n\r\n" + GET + HOST + END,
        (200, 400),
    ),
    Row("9112 9.6", "close", GET + HOST + b"Connection: close\r\n" + END + GET + HOST + END, (200,)),
    Row(
        "9112 9.6",
        "close among others",
        GET + HOST + b"Connection: a, Close\r\n" + END + GET + HOST + END,
        (200,),
    ),
    Row("9112 9.3", "keep-alive", 2 * (GET + HOST + b"Connection: keep-alive\r\n" + END), (200, 200)),
    Row("9112 9.3", "HTTP/1.0", 2 * (GET.replace(b"1.1", b"1.0") + HOST + END), (200,)),
]

EXPECTATIONS = [
    post("9110 10.1.1", "100-continue", b"Expect: 100-continue\r\n" + LENGTH, SPEC, 200),
    post(
        "9110 10.1.1",
        "100-continue for what is refused",
        b"Expect: 100-continue\r\nContent-Length: 70000\r\n",
        b"",
        413,
    ),
    post("9110 10.1.1", "another expectation", b"Expect: a\r\n" + LENGTH, SPEC, 200),
]

ROWS = [
    *HOSTS,
    *TARGETS,
    *METHODS,
    *VERSIONS,
    *FIELDS,
    *CODINGS,
    *LENGTHS,
    *UPGRADES,
    *PIPELINES,
    *EXPECTATIONS,
]
