"""Conditional requests (RFC 9110, section 13)."""

from tests.server.raw.resources import BYTES, CONTENTS, MODEL, NAME, PUBLICATION, publish
from tests.server.raw.rows import ETAG, HOST, Row, ask, make_row

OTHER = b'"other"'

# field lines, whether of one or several tags, and the status of a GET
FORMS = (
    ("If-None-Match, the tag", b"If-None-Match: " + ETAG + b"\r\n", 304),
    ("If-None-Match, another tag", b"If-None-Match: " + OTHER + b"\r\n", 200),
    ("If-Match, the tag", b"If-Match: " + ETAG + b"\r\n", 200),
    ("If-Match, another tag", b"If-Match: " + OTHER + b"\r\n", 412),
)

EACH = [
    ask("9110 13.1", f"{what}: {method.decode()} {path.decode()}", method + b" " + path, lines, status)
    for path in CONTENTS
    for method in (b"GET", b"HEAD")
    for what, lines, status in FORMS
    if method == b"GET" or status != 200
]


def condition(section: str, what: str, lines: bytes, status: int, *fields: bytes) -> Row:
    """Make a row of a GET of a tensor's bytes."""
    return ask(section, what, b"GET " + BYTES, lines, status, fields=fields)


TAGS = [
    condition("9110 13.1.2", "a weak tag", b"If-None-Match: W/" + ETAG + b"\r\n", 304),
    condition("9110 13.1.2", "any tag", b"If-None-Match: *\r\n", 304, b"etag: " + ETAG, b"vary: accept"),
    condition("9110 13.1.2", "a list", b"If-None-Match: " + OTHER + b", " + ETAG + b"\r\n", 304),
    condition(
        "9110 13.1.2", "a list without spaces", b"If-None-Match: " + OTHER + b"," + ETAG + b"\r\n", 304
    ),
    condition("9110 5.6.1", "a list with empty elements", b"If-None-Match: , ," + ETAG + b" ,\r\n", 304),
    condition(
        "9110 5.3", "two lines", b"If-None-Match: " + OTHER + b"\r\nIf-None-Match: " + ETAG + b"\r\n", 304
    ),
    condition("9110 8.8.3", "a tag with a comma", b'If-None-Match: "a,b", ' + ETAG + b"\r\n", 304),
    condition("9110 8.8.3", "a tag with a backslash", b'If-None-Match: "a\\", ' + ETAG + b"\r\n", 304),
    condition("9110 8.8.3", "a tag beyond ASCII", b'If-None-Match: "\xe4", ' + ETAG + b"\r\n", 304),
    condition("9110 8.8.3", "an empty tag", b'If-None-Match: ""\r\n', 200),
    condition("9110 8.8.3", "another case", b'If-None-Match: "ABC"\r\n', 200),
    condition("9110 13.1.2", "a star in quotes", b'If-None-Match: "*"\r\n', 200),
    condition(
        "9110 13.1.2", "200 other tags", b"If-None-Match: " + 200 * (OTHER + b",") + ETAG + b"\r\n", 304
    ),
    condition("9110 13.1.1", "any tag", b"If-Match: *\r\n", 200),
    condition("9110 13.1.1", "a weak tag", b"If-Match: W/" + ETAG + b"\r\n", 412),
    condition("9110 13.1.1", "a list", b"If-Match: " + OTHER + b", " + ETAG + b"\r\n", 200),
    condition("9110 13.1.1", "two lines", b"If-Match: " + OTHER + b"\r\nIf-Match: " + ETAG + b"\r\n", 200),
    condition("9110 13.1.1", "an empty field", b"If-Match:\r\n", 412),
    condition(
        "9110 13.2.2", "If-Match comes first", b"If-None-Match: *\r\nIf-Match: " + OTHER + b"\r\n", 412
    ),
    condition(
        "9110 13.2.2", "both match", b"If-Match: " + ETAG + b"\r\nIf-None-Match: " + ETAG + b"\r\n", 304
    ),
    condition("9110 13.2.2", "a range and If-Match", b"Range: bytes=0-1\r\nIf-Match: " + ETAG + b"\r\n", 206),
    condition(
        "9110 13.2.2",
        "a range and another If-Match",
        b"Range: bytes=0-1\r\nIf-Match: " + OTHER + b"\r\n",
        412,
    ),
    condition(
        "9110 13.2.2",
        "a range and If-None-Match",
        b"Range: bytes=0-1\r\nIf-None-Match: " + ETAG + b"\r\n",
        304,
    ),
    condition(
        "9110 13.2.2", "no such range and If-None-Match", b"Range: bytes=999-\r\nIf-None-Match: *\r\n", 304
    ),
    *(
        condition("9110 13.1.3", f"{name}: {date}", f"{name}: {date}\r\n".encode(), 200)
        for name in ("If-Modified-Since", "If-Unmodified-Since")
        for date in (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Fri, 31 Dec 2100 23:59:59 GMT",
            "yesterday",
        )
    ),
    condition(
        "9110 13.1.3",
        "If-None-Match and a date",
        b"If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT\r\nIf-None-Match: " + OTHER + b"\r\n",
        200,
    ),
    *(
        ask("9110 13.2.1", f"{lines[:-2].decode()}: {target.decode()}", target, lines, status)
        for target, status in (
            (b"GET /nothing", 404),
            (b"GET /v1/weights?shape=0&seed=1", 422),
            (b"GET /v1/names/raw/none/1", 404),
            (b"DELETE /v1/names/raw/none/1?author=a", 404),
            (b"POST /livez", 405),
            (b"GET /simple", 308),
        )
        for lines in (b"If-Match: " + OTHER + b"\r\n", b"If-None-Match: *\r\n")
        if not (status == 308 and b"Match: *" in lines)
    ),
    ask("9110 13.2.1", "conditions of OPTIONS", b"OPTIONS " + BYTES, b"If-None-Match: *\r\n", 204),
]

WRITES = [
    publish("9110 13.1.2", "a name that exists, unless it does", NAME, b"If-None-Match: *\r\n", 412),
    publish(
        "9110 13.1.2",
        "a name that exists, unless it has the tag",
        NAME,
        b"If-None-Match: " + ETAG + b"\r\n",
        412,
    ),
    publish(
        "9110 13.1.2",
        "a name that exists, unless it has another",
        NAME,
        b"If-None-Match: " + OTHER + b"\r\n",
        200,
    ),
    publish("9110 13.1.1", "a name that exists, if it does", NAME, b"If-Match: *\r\n", 200),
    publish(
        "9110 13.1.1", "a name that exists, if it has the tag", NAME, b"If-Match: " + ETAG + b"\r\n", 200
    ),
    publish(
        "9110 13.1.1", "a name that exists, if it has another", NAME, b"If-Match: " + OTHER + b"\r\n", 412
    ),
    publish("9110 13.1.1", "a name that exists, weakly", NAME, b"If-Match: W/" + ETAG + b"\r\n", 412),
    publish("9110 13.1.1", "a new name, if it exists", b"/v1/names/raw/never/1", b"If-Match: *\r\n", 412),
    publish(
        "9110 13.1.1",
        "a new name, if it has a tag",
        b"/v1/names/raw/never/2",
        b"If-Match: " + OTHER + b"\r\n",
        412,
    ),
    publish(
        "9110 13.1.2", "a new name, unless it exists", b"/v1/names/raw/new{n}/1", b"If-None-Match: *\r\n", 201
    ),
    publish(
        "9110 13.1.2",
        "a new name, unless it has a tag",
        b"/v1/names/raw/new{n}/2",
        b"If-None-Match: " + OTHER + b"\r\n",
        201,
    ),
    publish("9110 9.3.4", "a new name", b"/v1/names/raw/new{n}/3", b"", 201),
    publish("9110 9.2.2", "a name again", NAME, b"", 200),
    ask(
        "9110 13.1.1",
        "a DELETE, if it has another tag",
        b"DELETE " + NAME + b"?author=a",
        b"If-Match: " + OTHER + b"\r\n",
        412,
    ),
    ask(
        "9110 13.1.2",
        "a DELETE, unless it exists",
        b"DELETE " + NAME + b"?author=a",
        b"If-None-Match: *\r\n",
        412,
    ),
    make_row(
        "9112 9.3.2",
        "a name that is published, retired, and requested",
        publish("", "", b"/v1/names/raw/brief{n}/1", b"", 201).sent
        + b"DELETE /v1/names/raw/brief{n}/1?author=a HTTP/1.1\r\n"
        + HOST
        + b"If-Match: *\r\n\r\n"
        + b"GET /v1/names/raw/brief{n}/1 HTTP/1.1\r\n"
        + HOST
        + b"\r\n"
        + publish("", "", b"/v1/names/raw/brief{n}/1", b"", 409).sent,
        201,
        200,
        410,
        409,
    ),
    make_row(
        "9112 9.3.2",
        "a name that two requests publish",
        publish("", "", b"/v1/names/raw/twice{n}/1", b"If-None-Match: *\r\n", 201).sent
        + publish("", "", b"/v1/names/raw/twice{n}/1", b"If-None-Match: *\r\n", 412).sent,
        201,
        412,
    ),
    make_row(
        "9110 15.5.10",
        "a name of another model",
        b"PUT "
        + NAME
        + b" HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        % len(PUBLICATION.replace(MODEL, b"0" * 64))
        + HOST
        + b"\r\n"
        + PUBLICATION.replace(MODEL, b"0" * 64),
        409,
    ),
]
