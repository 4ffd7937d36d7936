"""Lengths, and requests that hide in bodies (RFC 9112, section 6)."""

from tests.server.raw.rows import CHUNKED, CHUNKS, END, GET, HOST, LENGTH, POST, SPEC, make_row, post

LENGTHS = [
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
    post("9110 8.6", "no body", b"", b"", 400, closes=False),
    make_row("9110 9.3.1", "a GET with a body", GET + HOST + LENGTH + END + SPEC, 200),
    *(
        post("9110 5.5", f"white space in {value!r}", b"Content-Length:" + value + b"\r\n", SPEC, 200)
        for value in (b"24", b"  24", b"24  ", b"\t24 ")
    ),
    *(
        post("9110 8.6", f"a length of {length!r}", b"Content-Length: " + length + b"\r\n", SPEC, 400)
        for length in (
            b"",
            b"-0",
            b"24;",
            b"24 24",
            b"24,",
            b",24",
            b"1,000",
            b"24\x0b",
            b"\xb224",
            b"24\xa0",
            b"0b11000",
            b"24L",
            b"NaN",
            b"18446744073709551640",
            b'"24"',
        )
    ),
    post("9112 5.2", "a length in a folded line", b"Content-Length:\r\n 24\r\n", SPEC, 400),
    post("9112 5.1", "a space before the colon of the length", b"Content-Length : 24\r\n", SPEC, 400),
    post("9112 6.3", "two lengths, one invalid", LENGTH + b"Content-Length: a\r\n", SPEC, 400),
    post("9110 8.6", "a length of nine exabytes", b"Content-Length: 9223372036854775807\r\n", SPEC, 413),
    post("9110 8.6", "a length of one byte too many", b"Content-Length: 65537\r\n", b"", 413),
    post(
        "9110 8.6", "the longest body", b"Content-Length: 65536\r\n", SPEC + b" " * (65536 - len(SPEC)), 200
    ),
    post(
        "9110 15.5.14",
        "chunks that are too long",
        CHUNKED,
        b"10001\r\n" + b" " * 65537 + b"\r\n0\r\n\r\n",
        413,
    ),
    post("9110 8.6", "a length of 0", b"Content-Length: 0\r\n", b"", 400, closes=False),
    post("9112 8", "a body that is cut", LENGTH, SPEC[:-1], 400)._replace(statuses=(), is_cut=True),
    post("9112 8", "chunks that are cut", CHUNKED, CHUNKS[:-1], 400)._replace(statuses=(), is_cut=True),
    post("9112 8", "a chunk that is cut", CHUNKED, CHUNKS[:9], 400)._replace(statuses=(), is_cut=True),
    make_row("9112 8", "a head that is cut", GET + HOST[:3], 400)._replace(statuses=(), is_cut=True),
    make_row("9112 8", "a request line that is cut", GET[:3], 400)._replace(statuses=(), is_cut=True),
    make_row("9112 8", "nothing", b"\r\n", 400)._replace(statuses=(), is_cut=True),
    make_row(
        "9110 9.3.2", "a HEAD with a body", b"HEAD /livez HTTP/1.1\r\n" + HOST + LENGTH + END + SPEC, 200
    ),
    make_row(
        "9110 9.3.7", "an OPTIONS with a body", b"OPTIONS * HTTP/1.1\r\n" + HOST + LENGTH + END + SPEC, 204
    ),
    make_row(
        "9110 9.3.5", "a DELETE with a body", b"DELETE /livez HTTP/1.1\r\n" + HOST + LENGTH + END + SPEC, 405
    ),
    make_row("9110 9.3.1", "a GET with chunks", GET + HOST + CHUNKED + END + CHUNKS, 200),
    make_row(
        "9110 9.3.8", "a TRACE with a body", b"TRACE /livez HTTP/1.1\r\n" + HOST + LENGTH + END + SPEC, 405
    ),
]

HIDDEN = GET + HOST + END
INSIDE = b"Content-Length: %d\r\n" % len(HIDDEN)
POST_JSON = POST + HOST

# A request in the body of another is not one: there is one response, and the next request gets its own.
SMUGGLED = [
    make_row("9112 6.3", "a request in a body", POST_JSON + INSIDE + END + HIDDEN, 400, closes=False),
    make_row("9112 6.3", "a request in the body of a GET", GET + HOST + INSIDE + END + HIDDEN, 200),
    make_row(
        "9112 6.3", "a request in the body of a HEAD", b"HEAD" + GET[3:] + HOST + INSIDE + END + HIDDEN, 200
    ),
    make_row(
        "9112 6.3",
        "a request in the body of an OPTIONS",
        b"OPTIONS" + GET[3:] + HOST + INSIDE + END + HIDDEN,
        204,
    ),
    make_row(
        "9112 6.3", "a request in the body of a PUT", b"PUT" + GET[3:] + HOST + INSIDE + END + HIDDEN, 405
    ),
    make_row(
        "9112 6.3",
        "a request in the body of a 404",
        b"GET /nothing" + GET[10:] + HOST + INSIDE + END + HIDDEN,
        404,
    ),
    make_row(
        "9112 7.1",
        "a request in a chunk",
        POST_JSON + CHUNKED + END + b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
        400,
        closes=False,
    ),
    make_row(
        "9112 7.1.1",
        "a request in an extension",
        POST_JSON + CHUNKED + END + b'18;a="GET /livez HTTP/1.1"' + CHUNKS[2:],
        200,
    ),
    make_row(
        "9112 6.3",
        "a request behind a length of 0",
        GET + HOST + b"Content-Length: 0\r\n" + END + HIDDEN,
        200,
        200,
    ),
    make_row(
        "9112 6.3",
        "a request behind a trailer",
        POST_JSON + CHUNKED + END + CHUNKS[:-2] + b"A: b\r\n\r\n" + HIDDEN,
        200,
        200,
    ),
    make_row(
        "9112 6.3",
        "a length and chunks, and a request",
        POST_JSON + b"Content-Length: 3\r\n" + CHUNKED + END + b"0\r\n\r\n" + HIDDEN,
        400,
    ),
    make_row(
        "9112 6.3",
        "chunks and a length, and a request",
        POST_JSON + CHUNKED + INSIDE + END + b"0\r\n\r\n" + HIDDEN,
        400,
    ),
    make_row("9112 6.3", "two lengths, and a request", POST_JSON + LENGTH + INSIDE + END + HIDDEN, 400),
    make_row(
        "9112 6.3",
        "a body that is longer than its length",
        POST_JSON + LENGTH + END + SPEC + b"x" * 9 + END,
        200,
        400,
    ),
    make_row(
        "9112 6.3", "a line end behind a body", POST_JSON + LENGTH + END + SPEC + END + HIDDEN, 200, 200
    ),
    make_row(
        "9112 6.1",
        "a request behind chunks in HTTP/1.0",
        POST_JSON.replace(b"1.1", b"1.0") + CHUNKED + END + CHUNKS + HIDDEN,
        400,
    ),
    make_row(
        "9110 7.6.1",
        "Connection names the length",
        POST_JSON + b"Connection: Content-Length\r\n" + INSIDE + END + HIDDEN,
        400,
        closes=False,
    ),
    make_row(
        "9110 7.6.1",
        "Connection names the coding",
        POST_JSON + b"Connection: Transfer-Encoding\r\n" + CHUNKED + END + CHUNKS,
        200,
    ),
    make_row("9110 7.6.1", "Connection names Host", GET + b"Connection: Host\r\n" + HOST + END, 200),
    make_row(
        "9110 7.8",
        "a request in the body of an upgrade",
        POST_JSON + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + INSIDE + END + HIDDEN,
        400,
        closes=False,
    ),
]
