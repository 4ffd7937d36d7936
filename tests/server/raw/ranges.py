"""Ranges (RFC 9110, section 14)."""

from tests.server.raw.resources import BYTES, FORM, MODEL, NAME
from tests.server.raw.rows import ETAG, GET, HOST, SPEC, ask, make_row

LENGTH = 268  # bytes of BYTES: 128 of the header, and 5 by 7 elements of 4


def whole(section: str, value: bytes):
    """Make a row of a Range that is ignored."""
    fields = (b"content-length: %d" % LENGTH,)
    return ask(section, f"Range {value!r}", b"GET " + BYTES, b"Range: " + value + b"\r\n", 200, fields=fields)


# Range → its first and last byte
PARTS = {
    b"bytes=0-0": (0, 0),
    b"bytes=0-": (0, 267),
    b"bytes=1-": (1, 267),
    b"bytes=267-": (267, 267),
    b"bytes=267-267": (267, 267),
    b"bytes=0-267": (0, 267),
    b"bytes=0-268": (0, 267),
    b"bytes=3-1000000": (3, 267),
    b"bytes=-1": (267, 267),
    b"bytes=-267": (1, 267),
    b"bytes=-268": (0, 267),
    b"bytes=-269": (0, 267),
    b"bytes=-" + b"9" * 40: (0, 267),
    b"bytes=1-" + b"9" * 40: (1, 267),
    b"bytes=00000-0000000000000000000000000000000000000003": (0, 3),
    b"bytes=07-010": (7, 10),
    b"BYTES=0-1": (0, 1),
    b"Bytes=0-1": (0, 1),
    b"bytes=0-1,": (0, 1),
    b"bytes=,0-1": (0, 1),
    b"bytes=, ,0-1 , ,": (0, 1),
    b"bytes=0-1 ": (0, 1),
    b"bytes=2-2": (2, 2),
    b"bytes=127-128": (127, 128),
}

NONE = (
    b"268-",
    b"268-268",
    b"269-300",
    b"-0",
    b"-000",
    b"9" * 40 + b"-",
    b"18446744073709551616-",
    b"1000-2000",
)

INVALID = (
    b"bytes=5-2",
    b"bytes=a-b",
    b"bytes=0",
    b"bytes=-",
    b"bytes=--1",
    b"bytes=-1-",
    b"bytes=0--1",
    b"bytes=+0-1",
    b"bytes=0x0-0x1",
    b"bytes=0.0-1.0",
    b"bytes=0-1-2",
    b"bytes=0 - 1",
    b"bytes=0- 1",
    b"bytes=0-1;a=b",
    b"bytes=",
    b"bytes=,",
    b"bytes",
    b"bytes:0-1",
    b"bytes 0-1",
    b"bytes 0-1/268",
    b"bytes=0-1 2-3",
    b"=0-1",
    b"0-1",
    b"",
    b"bytes=\xb2-\xb3",
    b"bytes=0-1\xa0",
)

RANGES = [
    *(
        ask(
            "9110 14.1.2",
            f"Range {value!r}",
            b"GET " + BYTES,
            b"Range: " + value + b"\r\n",
            206,
            fields=(
                b"content-range: bytes %d-%d/%d" % (first, last, LENGTH),
                b"content-length: %d" % (last - first + 1),
            ),
        )
        for value, (first, last) in PARTS.items()
    ),
    *(
        ask(
            "9110 15.5.17",
            f"Range bytes={value!r}",
            b"GET " + BYTES,
            b"Range: bytes=" + value + b"\r\n",
            416,
            fields=(b"content-range: bytes */%d" % LENGTH,),
        )
        for value in NONE
    ),
    *(whole("9110 14.2", value) for value in INVALID),
    *(
        whole("9110 14.2", value)
        for value in (
            b"items=0-1",
            b"octets=0-1",
            b"none=0-1",
            b"byte=0-1",
            b"seconds=0.5-1",
            b"bytes2=0-1",
            b"x=",
        )
    ),
    *(
        whole("9110 14.2", value)
        for value in (
            b"bytes=0-1,3-4",
            b"bytes=0-1,0-1",
            b"bytes=0-,0-,0-",
            b"bytes=0-1,999-",
            b"bytes=-1,-2",
            b"bytes=" + b"0-," * 1000,
            b"bytes=" + b",".join(b"%d-%d" % (at, at) for at in range(90)),
        )
    ),
    ask("9110 5.3", "Range twice", b"GET " + BYTES, 2 * b"Range: bytes=0-1\r\n", 200),
    ask(
        "9110 14.2",
        "a range of a HEAD",
        b"HEAD " + BYTES,
        b"Range: bytes=0-1\r\n",
        200,
        fields=(b"content-length: 268",),
    ),
    ask("9110 14.2", "no such range of a HEAD", b"HEAD " + BYTES, b"Range: bytes=999-\r\n", 200),
    ask("9110 14.2", "a range of OPTIONS", b"OPTIONS " + BYTES, b"Range: bytes=0-1\r\n", 204),
    ask("9110 14.2", "a range of a 404", b"GET /nothing", b"Range: bytes=0-1\r\n", 404),
    ask("9110 14.2", "a range of a 422", b"GET /v1/weights?shape=0&seed=1", b"Range: bytes=0-1\r\n", 422),
    ask("9110 14.2", "a range of a redirect", b"GET " + NAME + b"/weights", b"Range: bytes=0-1\r\n", 307),
    ask("9110 14.2", "a range where there are none", b"GET /livez", b"Range: bytes=0-1\r\n", 200),
    ask("9110 14.2", "a range of a name", b"GET " + NAME, b"Range: bytes=0-1\r\n", 200),
    ask(
        "9110 14.2",
        "a range of a model",
        b"GET /v1/models/" + MODEL,
        b"Range: bytes=0-0\r\n",
        206,
        fields=(b"content-range: bytes 0-0/%d" % len(FORM),),
    ),
    ask(
        "9110 14.2",
        "a range of a file",
        b"GET /v1/models/" + MODEL + b"/weights",
        b"Range: bytes=-140\r\n",
        206,
        fields=(b"content-length: 140",),
    ),
    ask(
        "9110 14.2",
        "a range of a tensor",
        b"GET /v1/models/" + MODEL + b"/weights/fc",
        b"Range: bytes=128-\r\n",
        206,
        fields=(b"content-range: bytes 128-267/268",),
    ),
    ask(
        "9110 14.2",
        "a range of a slice",
        b"GET /v1/models/" + MODEL + b"/weights/fc?slice=1:2",
        b"Range: bytes=128-\r\n",
        206,
        fields=(b"content-range: bytes 128-155/156",),
    ),
    ask(
        "9110 14.2",
        "a range of a table",
        b"GET /v1/schemes",
        b"Range: bytes=0-9\r\n",
        206,
        fields=(b"content-length: 10",),
    ),
    ask(
        "9110 15.5.17",
        "no such range of a model",
        b"GET /v1/models/" + MODEL,
        b"Range: bytes=9999-\r\n",
        416,
        fields=(b"content-range: bytes */%d" % len(FORM),),
    ),
    make_row(
        "9110 14.2",
        "a range of a POST",
        b"POST /v1/weights HTTP/1.1\r\nContent-Type: application/json\r\nRange: bytes=0-1\r\n"
        b"Content-Length: %d\r\n" % len(SPEC) + HOST + b"\r\n" + SPEC,
        200,
        fields=(b"content-length: 268",),
    ),
    make_row(
        "9112 9.3.2",
        "ranges in a pipeline",
        3 * (b"GET " + BYTES + GET[10:] + HOST + b"Range: bytes=5-9\r\n\r\n"),
        206,
        206,
        206,
    ),
]

# If-Range → whether its range is sent
IF_RANGE = {
    ETAG: True,
    ETAG + b" ": True,
    b"W/" + ETAG: False,
    b'"other"': False,
    b'W/"other"': False,
    b"Sun, 06 Nov 1994 08:49:37 GMT": False,
    b"Fri, 31 Dec 2100 23:59:59 GMT": False,
    b'""': False,
    b"*": False,
    b"": False,
    ETAG + b", " + ETAG: False,
    b'"other", ' + ETAG: False,
    b"garbage": False,
}

CONDITIONAL = [
    *(
        ask(
            "9110 13.1.5",
            f"If-Range {value!r}",
            b"GET " + BYTES,
            b"Range: bytes=0-1\r\nIf-Range: " + value + b"\r\n",
            206 if is_sent else 200,
        )
        for value, is_sent in IF_RANGE.items()
    ),
    ask("9110 13.1.5", "If-Range without Range", b"GET " + BYTES, b"If-Range: " + ETAG + b"\r\n", 200),
    ask(
        "9110 13.1.5",
        "If-Range and no such range",
        b"GET " + BYTES,
        b"Range: bytes=999-\r\nIf-Range: " + ETAG + b"\r\n",
        416,
    ),
    ask(
        "9110 13.1.5",
        "another If-Range and no such range",
        b"GET " + BYTES,
        b'Range: bytes=999-\r\nIf-Range: "other"\r\n',
        200,
    ),
    ask(
        "9110 13.1.5",
        "If-Range of a HEAD",
        b"HEAD " + BYTES,
        b"Range: bytes=0-1\r\nIf-Range: " + ETAG + b"\r\n",
        200,
    ),
]
