"""Resources: HEAD, OPTIONS and the other methods of every path, and redirects (RFC 9110, section 9)."""

import hashlib

from tests.server.raw.rows import HOST, Row, ask, make_row

# The canonical form of a model that the tests publish, and its id (RFC 8785; docs/http.md, Models).
FORM = b'{"seed":"1","stream":1,"tensors":[{"layout":"IO","name":"fc","shape":[5,7]}]}'
MODEL = hashlib.sha256(FORM).hexdigest().encode()
NAME = b"/v1/names/raw/kept/1.0"
PUBLICATION = b'{"model":"%s","author":"ada"}' % MODEL

BYTES = b"/v1/weights?shape=5,7&seed=1&name=fc"

# Paths whose responses have an entity tag.
CONTENTS = (
    BYTES,
    b"/v1/weights?shape=5,7&seed=1&slice=1:2",
    b"/v1/models/" + MODEL,
    b"/v1/models/" + MODEL + b"/parameters",
    b"/v1/models/" + MODEL + b"/weights",
    b"/v1/models/" + MODEL + b"/weights/fc",
    b"/v1/schemes",
    b"/v1/recipes",
    b"/v1/activations",
    NAME,
    b"/v1/names?prefix=raw/kept",
)

# Path → the status of a GET, and its methods.
PATHS: dict[bytes, tuple[int, bytes]] = {
    b"/": (307, b"get, head, options"),
    b"/livez": (200, b"get, head, options"),
    b"/readyz": (200, b"get, head, options"),
    b"/metrics": (200, b"get, head, options"),
    b"/openapi.json": (200, b"get, head, options"),
    b"/docs": (200, b"get, head, options"),
    b"/docs/start.js": (200, b"get, head, options"),
    b"/docs/nothing": (404, b"get, head, options"),
    b"/simple": (308, b"get, head, options"),
    b"/simple/": (200, b"get, head, options"),
    b"/simple/nothing/": (404, b"get, head, options"),
    b"/packages/a/b": (404, b"get, head, options"),
    b"/v1/parameters?shape=5,7": (200, b"get, head, options, post"),
    b"/v1/parameters": (422, b"get, head, options, post"),
    b"/v1/weights?shape=5,7": (422, b"get, head, options, post"),
    BYTES: (200, b"get, head, options, post"),
    b"/v1/activations": (200, b"get, head, options"),
    b"/v1/schemes": (200, b"get, head, options"),
    b"/v1/recipes": (200, b"get, head, options"),
    b"/v1/schemes?a=b": (422, b"get, head, options"),
    b"/v1/names": (200, b"get, head, options"),
    b"/v1/names?limit=0": (422, b"get, head, options"),
    NAME: (200, b"delete, get, head, options, put"),
    b"/v1/names/raw/none/1": (404, b"delete, get, head, options, put"),
    b"/v1/names/raw/retired/1.0": (410, b"delete, get, head, options, put"),
    b"/v1/names/raw/-/1": (422, b"delete, get, head, options, put"),
    NAME + b"/parameters": (307, b"get, head, options"),
    NAME + b"/weights": (307, b"get, head, options"),
    NAME + b"/weights/fc": (307, b"get, head, options"),
    b"/v1/models/" + MODEL: (200, b"get, head, options"),
    b"/v1/models/" + MODEL + b"/parameters": (200, b"get, head, options"),
    b"/v1/models/" + MODEL + b"/weights": (200, b"get, head, options"),
    b"/v1/models/" + MODEL + b"/weights/fc": (200, b"get, head, options"),
    b"/v1/models/" + MODEL + b"/weights/none": (404, b"get, head, options"),
    b"/v1/models/" + b"0" * 64: (404, b"get, head, options"),
}


def publish(
    section: str, what: str, name: bytes, lines: bytes, status: int, body: bytes = PUBLICATION
) -> Row:
    """Make a row of a PUT of a name."""
    lines += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    row = ask(section, what, b"PUT " + name, lines, status)
    return row._replace(sent=row.sent + body)


HEADS = [
    ask("9110 9.3.2", f"HEAD {path.decode()}", b"HEAD " + path, b"", status)
    for path, (status, _) in PATHS.items()
]

# A HEAD that the server rejects has no body either.
REJECTED = [
    make_row("9110 9.3.2", f"a rejected HEAD: {what}", b"HEAD /livez HTTP/1.1\r\n" + lines + b"\r\n", status)
    for what, lines, status in (
        ("no Host", b"", 400),
        ("Host twice", HOST + HOST, 400),
        ("an invalid Host", b"Host: a b\r\n", 400),
        ("an invalid field", HOST + b"A : a\r\n", 400),
        ("an unknown coding", HOST + b"Transfer-Encoding: gzip\r\n", 501),
        ("an invalid length", HOST + b"Content-Length: a\r\n", 400),
        ("a long field", HOST + b"A: " + b"a" * 70_000 + b"\r\n", 431),
    )
]

METHODS = [
    *(
        ask(
            "9110 9.3.7",
            f"OPTIONS {path.decode()}",
            b"OPTIONS " + path,
            b"",
            204,
            fields=(b"allow: " + allow,),
        )
        for path, (_, allow) in PATHS.items()
    ),
    *(
        ask("9110 15.5.6", f"PATCH {path.decode()}", b"PATCH " + path, b"", 405, fields=(b"allow: " + allow,))
        for path, (_, allow) in PATHS.items()
    ),
    ask(
        "9110 15.5.6",
        "GET of what is only posted",
        b"GET /v1/models",
        b"",
        405,
        fields=(b"allow: options, post",),
    ),
    ask(
        "9110 9.3.7", "OPTIONS /v1/models", b"OPTIONS /v1/models", b"", 204, fields=(b"allow: options, post",)
    ),
    ask(
        "9110 9.3.7",
        "OPTIONS *",
        b"OPTIONS *",
        b"",
        204,
        fields=(b"allow: delete, get, head, options, post, put",),
    ),
    ask("9110 9.3.7", "OPTIONS of what does not exist", b"OPTIONS /nothing", b"", 404),
    ask("9110 9.3.8", "TRACE", b"TRACE " + NAME, b"Cookie: a=b\r\n", 405),
    ask("9110 15.5.5", "an id in capitals", b"GET /v1/models/" + MODEL.upper(), b"", 404),
    ask("9110 15.5.5", "an id that is short", b"GET /v1/models/" + MODEL[1:], b"", 404),
    ask("9110 15.5.5", "a tensor with a line end", b"GET " + NAME + b"/weights/a%0d%0ab", b"", 404),
    ask("9110 15.5.11", "PUT of a retired name", b"GET /v1/names/raw/retired/1.0/weights", b"", 410),
    publish("9110 15.5.10", "a retired name again", b"/v1/names/raw/retired/1.0", b"", 409),
    publish("9110 15.5.21", "a name with a space", b"/v1/names/raw/a%20b/1", b"", 422),
    publish("9110 15.5.21", "a name with a line end", b"/v1/names/raw/a%0A/1", b"", 422),
    publish(
        "9110 15.5.21",
        "a name of an unknown model",
        b"/v1/names/raw/unknown/1",
        b"",
        422,
        PUBLICATION.replace(MODEL, b"0" * 64),
    ),
    publish("9110 15.5.5", "a name of four segments", NAME + b"/a", b"", 404),
    publish("9110 15.5.5", "a name of two segments", b"/v1/names/raw/kept", b"", 404),
    publish("9110 15.5.21", "a name with a query", NAME + b"?a=b", b"", 422),
    publish("9110 9.3.4", "a name without a body", NAME, b"", 400, b""),
    publish("9110 14.5", "a part of a name", NAME, b"Content-Range: bytes 0-9/20\r\n", 400),
    ask("9110 9.3.5", "a DELETE without an author", b"DELETE " + NAME, b"", 422),
    ask("9110 9.3.5", "a DELETE of a model", b"DELETE /v1/models/" + MODEL, b"", 405),
    ask("9110 9.2.2", "a name retired again", b"DELETE /v1/names/raw/retired/1.0?author=a", b"", 200),
]

LOCATIONS = [
    ask(
        "9110 10.2.2",
        f"where {method.decode()}{path.decode()} is",
        method + path,
        b"",
        status,
        fields=(b"location: " + to,),
    )
    for path, status, to in (
        (b"/", 307, b"/docs"),
        (b"/simple", 308, b"/simple/"),
        (NAME + b"/weights", 307, b"/v1/models/" + MODEL + b"/weights"),
        (NAME + b"/weights?a=%22b", 307, b"/v1/models/" + MODEL + b"/weights?a=%22b"),
        (NAME + b"/weights/f%63?slice=0:1", 307, b"/v1/models/" + MODEL + b"/weights/fc?slice=0:1"),
        (NAME + b"/weights/a%22%3cb", 307, b"/v1/models/" + MODEL + b"/weights/a%22%3cb"),
        (NAME + b"/weights/%E2%82%AC", 307, b"/v1/models/" + MODEL + b"/weights/%e2%82%ac"),
        (NAME + b"/parameters", 307, b"/v1/models/" + MODEL + b"/parameters"),
    )
    for method in ((b"GET ",) if path in PATHS else (b"GET ", b"HEAD "))
]

POST_MODEL = (
    b"POST /v1/models HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(FORM)
    + HOST
    + b"\r\n"
    + FORM
)

CREATED = [
    make_row("9110 15.3.2", "a model again", POST_MODEL, 200, fields=(b"location: /v1/models/" + MODEL,)),
    make_row(
        "9110 8.7",
        "where the parameters are",
        b"POST /v1/parameters HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
        + HOST
        + b'\r\n{"shape":[5,7]}',
        200,
        fields=(b"content-location: /v1/parameters?shape=5,7",),
    ),
]
