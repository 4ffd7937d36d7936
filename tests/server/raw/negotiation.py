"""Negotiation: Accept, Content-Type, Want-Repr-Digest and X-Request-ID (RFC 9110, section 12; RFC 9530)."""

from tests.server.raw.resources import BYTES, MODEL
from tests.server.raw.rows import HOST, LENGTH, SPEC, Row, ask, make_row

NPY = b"application/x-npy"
RAW = b"application/octet-stream"

# Accept → the media type of the response, of NPY and RAW in this order
CHOICES = {
    b"*/*": NPY,
    b"application/*": NPY,
    RAW: RAW,
    NPY: NPY,
    b"APPLICATION/OCTET-STREAM": RAW,
    b"application/octet-stream;q=1": RAW,
    b"application/octet-stream;q=1.": RAW,
    b"application/octet-stream;q=1.000": RAW,
    b"application/octet-stream;q=0.001": RAW,
    b"application/octet-stream;Q=0.5": RAW,
    b"application/octet-stream ; q=0.5": RAW,
    b"application/octet-stream\t;\tq=0.5": RAW,
    b"application/octet-stream, application/x-npy": NPY,
    b"application/octet-stream;q=0.5, application/x-npy;q=0.4": RAW,
    b"application/octet-stream;q=0.5, application/x-npy;q=0.5": NPY,
    b"application/octet-stream, */*": RAW,
    b"application/octet-stream, */*;q=0.1": RAW,
    b"*/*, application/x-npy;q=0": RAW,
    b"application/*, application/x-npy;q=0.1": RAW,
    b"*/*;q=0.1, application/octet-stream;q=0.2": RAW,
    b"application/x-npy;q=0, application/octet-stream": RAW,
    b"text/html, application/octet-stream": RAW,
    b"text/html;level=1, application/octet-stream;q=0.1": RAW,
    b",,application/octet-stream,,": RAW,
    b" , application/octet-stream": RAW,
}

REFUSED = (
    b"text/html",
    b"text/*",
    b"application/json",
    b"*/*;q=0",
    b"*/*;q=0.000",
    b"application/*;q=0",
    b"application/x-npy;q=0",
    b"application/octet-stream;q=0",
    b"application/x-npy;q=0, application/octet-stream;q=0.0",
    b"application/octet-stream;version=2",
    b"*/*, application/x-npy;q=0, application/octet-stream;q=0",
)


def negotiate(what: str, lines: bytes, status: int, *fields: bytes) -> Row:
    """Make a row of a GET of a tensor with an Accept field."""
    return ask("9110 12.5.1", what, b"GET " + BYTES, lines, status, fields=fields)


ACCEPT = [
    *(
        negotiate(
            f"Accept {value!r}",
            b"Accept: " + value + b"\r\n",
            200,
            b"content-type: " + chosen,
            b"vary: accept",
        )
        for value, chosen in CHOICES.items()
    ),
    *(negotiate(f"Accept {value!r}", b"Accept: " + value + b"\r\n", 406) for value in REFUSED),
    negotiate("no Accept", b"", 200, b"content-type: " + NPY),
    negotiate(
        "two lines of Accept", b"Accept: text/html\r\nAccept: " + RAW + b"\r\n", 200, b"content-type: " + RAW
    ),
    negotiate("two lines that exclude all", b"Accept: */*\r\nAccept: application/*;q=0\r\n", 406),
    *(
        ask("9110 15.5.7", f"Accept text/css: {target.decode()}", target, b"Accept: text/css\r\n", 406)
        for target in (
            b"GET /v1/parameters?shape=5,7",
            b"GET /v1/schemes",
            b"GET /v1/activations",
            b"GET /v1/names",
            b"GET /v1/names/raw/kept/1.0",
            b"GET /v1/models/" + MODEL,
            b"GET /v1/models/" + MODEL + b"/parameters",
            b"GET /v1/models/" + MODEL + b"/weights",
            b"GET /v1/models/" + MODEL + b"/weights/fc",
            b"HEAD /v1/models/" + MODEL + b"/weights",
            b"DELETE /v1/names/raw/kept/1.0?author=a",
            b"POST /v1/parameters",
            b"POST /v1/weights",
            b"POST /v1/models",
            b"PUT /v1/names/raw/kept/1.0",
        )
    ),
    ask(
        "9110 12.5.1",
        "Accept of the file",
        b"GET /v1/models/" + MODEL + b"/weights",
        b"Accept: " + RAW + b"\r\n",
        200,
        fields=(b"content-type: " + RAW,),
    ),
    ask(
        "9110 12.5.1",
        "no Accept of the file",
        b"GET /v1/models/" + MODEL + b"/weights",
        b"",
        200,
        fields=(b"content-type: application/x-safetensors",),
    ),
    ask(
        "9110 12.5.1",
        "Accept of the index",
        b"GET /simple/",
        b"Accept: application/vnd.pypi.simple.v1+json\r\n",
        200,
        fields=(b"content-type: application/vnd.pypi.simple.v1+json",),
    ),
    ask(
        "9110 12.5.1",
        "q of the index",
        b"GET /simple/",
        b"Accept: text/html;q=0.1, application/vnd.pypi.simple.v1+html\r\n",
        200,
        fields=(b"content-type: application/vnd.pypi.simple.v1+html",),
    ),
]


def send_typed(section: str, lines: bytes, status: int) -> Row:
    """Make a row of a POST with fields that describe its body."""
    sent = b"POST /v1/parameters HTTP/1.1\r\n" + HOST + lines + LENGTH + b"\r\n" + SPEC
    fields = (b"accept-post: application/json",) if status == 415 and b"Encoding" not in lines else ()
    return make_row(section, repr(lines)[2:-5], sent, status, fields=fields)


TYPES = [
    *(
        send_typed("9110 8.3.1", b"Content-Type: " + value + b"\r\n", 200)
        for value in (
            b"application/json",
            b"APPLICATION/JSON",
            b"application/json;",
            b"application/json; charset=utf-8",
            b"application/json;charset=UTF-8",
            b'application/json; charset="utf-8"',
            b"application/json ; CHARSET=utf-8",
            b"application/json; profile=a",
            b"application/json; version=1; charset=utf-8",
            b'application/json; a="b c"',
        )
    ),
    *(
        send_typed("9110 15.5.16", b"Content-Type: " + value + b"\r\n", 415)
        for value in (
            b"",
            b"json",
            b"text/json",
            b"text/plain",
            b"application/*",
            b"*/*",
            b"application/json, application/json",
            b"application/problem+json",
            b"application/jsonp",
            b"application/json5",
            b"application / json",
            b"application/x-www-form-urlencoded",
            b"multipart/form-data; boundary=a",
            b"application/json; charset=utf-16",
            b"application/json; charset=latin-1",
            b"application/json; charset=",
            b"application/json; a=b; charset=ascii",
        )
    ),
    send_typed("9110 15.5.16", b"", 415),
    *(
        send_typed(
            "9110 15.5.16", b"Content-Type: application/json\r\nContent-Encoding: " + value + b"\r\n", 415
        )
        for value in (
            b"gzip",
            b"deflate",
            b"br",
            b"zstd",
            b"identity, gzip",
            b"gzip, identity",
            b"aws-chunked",
            b"*",
        )
    ),
    send_typed("9110 8.4", b"Content-Type: application/json\r\nContent-Encoding: Identity\r\n", 200),
    send_typed("9110 8.5", b"Content-Type: application/json\r\nContent-Language: tlh\r\n", 200),
    send_typed("1864 2", b"Content-Type: application/json\r\nContent-MD5: a\r\n", 200),
    send_typed("9530 2", b"Content-Type: application/json\r\nContent-Digest: sha-256=::\r\n", 200),
]

SHA_256 = b"repr-digest: sha-256=:"
SHA_512 = b"repr-digest: sha-512=:"

# Want-Repr-Digest → the start of a line of the response, or None if it has no digest
WANTED = {
    b"sha-256=10": SHA_256,
    b"sha-256=1": SHA_256,
    b"sha-256=10, sha-512=3": SHA_256,
    b"sha-256=3, sha-512=10": SHA_512,
    b"sha-512=1,sha-256=1": SHA_512,
    b"md5=10, sha-256=1": SHA_256,
    b"sha-256=0, sha-512=1": SHA_512,
    b"sha-256=1\t,\tmd5=2": SHA_256,
    b"sha-256=5;a": SHA_256,
    b'sha-256=5;a=b;c="d, e"': SHA_256,
    b"sha-256=5, unixsum=(1 2);a": SHA_256,
    b'a=?0, b=:YQ==:, c=1.5, d="\\"", sha-256=5': SHA_256,
    b"sha-256=0, sha-256=1": SHA_256,
    b"sha-256=1, sha-256=0": None,
    b"sha-256=0": None,
    b"md5=10": None,
    b"sha-256": None,
    b"sha-256=?1": None,
    b"sha-256=1.0": None,
    b'sha-256="10"': None,
    b"SHA-256=10": None,
    b"sha-256=11": None,
    b"sha-256=-1": None,
    b"sha-256=a": None,
    b"sha-256 =10": None,
    b"sha-256= 10": None,
    b"sha-256=10,": None,
    b",sha-256=10": None,
    b"sha-256=10 sha-512=3": None,
    b"sha-256=10, !": None,
    b"sha-256=10, a=(": None,
    b"sha-256=1000000000000000": None,
    b"": None,
    b"*": None,
}

DIGESTS = [
    *(
        ask(
            "9530 4" if starts else "9651 4.2",
            f"{method.decode()}with Want-Repr-Digest {value!r}",
            method + BYTES,
            b"Want-Repr-Digest: " + value + b"\r\n",
            200,
            fields=(starts,) if starts else (b"!repr-digest",),
        )
        for value, starts in WANTED.items()
        for method in ((b"GET ", b"HEAD ") if value.endswith(b"=10") else (b"GET ",))
    ),
    ask(
        "9530 4",
        "Want-Repr-Digest in two lines",
        b"GET " + BYTES,
        b"Want-Repr-Digest: md5=1\r\nWant-Repr-Digest: sha-256=1\r\n",
        200,
        fields=(SHA_256,),
    ),
    ask(
        "9530 3.1",
        "a digest of a range",
        b"GET " + BYTES,
        b"Range: bytes=0-1\r\nWant-Repr-Digest: sha-256=1\r\n",
        206,
        fields=(SHA_256,),
    ),
    ask(
        "9530 2",
        "Want-Content-Digest",
        b"GET " + BYTES,
        b"Want-Content-Digest: sha-256=1\r\n",
        200,
        fields=(b"!content-digest",),
    ),
    ask("3230 4.3.1", "Want-Digest", b"GET " + BYTES, b"Want-Digest: SHA-256\r\n", 200, fields=(b"!digest",)),
]

IDS = [
    ask(
        "9110 16.3",
        f"X-Request-ID {value!r}",
        b"GET /livez",
        b"X-Request-ID: " + value + b"\r\n",
        200,
        fields=fields,
    )
    for value, fields in (
        (b"a", (b"x-request-id: a",)),
        (b"a b", (b"x-request-id: a b",)),
        (b"b" * 128, (b"x-request-id: " + b"b" * 128,)),
        (b"b" * 129, (b"!x-request-id: " + b"b" * 40,)),
        (b"\xff", (b"!x-request-id: \xff",)),
        (b"a\tb", (b"!x-request-id: a\tb",)),
    )
]
