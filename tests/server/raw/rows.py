"""Rows of the table of raw requests, and what many of them are made of."""

from typing import NamedTuple

SPEC = b'{"shape":[5,7],"seed":1}'
HOST = b"Host: test\r\n"
GET = b"GET /livez HTTP/1.1\r\n"
POST = b"POST /v1/parameters HTTP/1.1\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(SPEC)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SPEC), SPEC)
END = b"\r\n"
# In a row these stand for the entity tag of the first target, and for the number of the run.
ETAG = b"{etag}"
RUN = b"{n}"

# After these the server closes: it cannot know where the request ends, or does not read its body.
CLOSING = frozenset([400, 413, 414, 421, 431, 501, 505])


class Row(NamedTuple):
    """A row: section of the RFC, what is sent, the bytes, and the status of each response.

    `fields` are lines that the head of the last response has, in lower case. `closes` is whether the server
    then closes the connection; if not, it answers another request. `is_cut` is whether the client ends its
    side after the bytes.
    """

    section: str
    what: str
    sent: bytes
    statuses: tuple[int, ...]
    fields: tuple[bytes, ...] = ()
    closes: bool = False
    is_cut: bool = False


def make_row(
    section: str,
    what: str,
    sent: bytes,
    *statuses: int,
    fields: tuple[bytes, ...] = (),
    closes: bool | None = None,
    is_cut: bool = False,
) -> Row:
    """Make a row. The server closes after a status of CLOSING unless `closes` says otherwise."""
    if closes is None:
        closes = is_cut or statuses[-1] in CLOSING
    return Row(section, what, sent, statuses, fields, closes, is_cut)


def get(section: str, what: str, more: bytes, *statuses: int, closes: bool | None = None) -> Row:
    """Make a row of a GET with fields behind Host."""
    return make_row(section, what, GET + HOST + more + END, *statuses, closes=closes)


def post(
    section: str, what: str, more: bytes, body: bytes, *statuses: int, closes: bool | None = None
) -> Row:
    """Make a row of a POST with fields behind Host, and a body."""
    return make_row(section, what, POST + HOST + more + END + body, *statuses, closes=closes)


def send_line(section: str, line: bytes, *statuses: int, closes: bool | None = None) -> Row:
    """Make a row of a request line with Host."""
    return make_row(section, repr(line)[2:-1], line + b"\r\n" + HOST + END, *statuses, closes=closes)


def ask(
    section: str, what: str, target: bytes, lines: bytes, *statuses: int, fields: tuple[bytes, ...] = ()
) -> Row:
    """Make a row of a method and target, such as `HEAD /livez`, with lines of fields behind Host."""
    sent = target + b" HTTP/1.1\r\n" + HOST + lines + END
    return make_row(section, what, sent, *statuses, fields=fields, closes=False)
