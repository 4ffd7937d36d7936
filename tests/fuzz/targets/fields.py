"""Header fields: ranges, Accept, entity tags, digests, ids and file names."""

import base64
import hashlib
from contextlib import suppress

from starlette.exceptions import HTTPException
from weightinit.transport.digests import parse_digest

from service.api.content.digests import ALGORITHMS, choose_algorithm, format_repr_digest
from service.api.http.conditional import keeps_range, matches_strongly, matches_weakly
from service.api.http.disposition import format_disposition
from service.api.http.negotiation import MAX_RANGES as MAX_ACCEPTED
from service.api.http.negotiation import choose_media_type
from service.api.http.ranges import (
    ByteRange,
    RangeError,
    UnsatisfiableError,
    format_content_range,
    parse_ranges,
    resolve_range,
)
from service.api.monitoring import choose_request_id, hide_secrets
from service.api.work.shares import identify_peer
from tests.fuzz.targets.specs import check_refusal

LENGTHS = (0, 1, 268, 2**63)
TAG = '"0f"'
OFFERS = (
    ("application/x-npy", "application/octet-stream"),
    ("application/json",),
    ("text/html", "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"),
)


def parse_range_field(data: bytes) -> None:
    """Ranges format to themselves, and the bytes of each are within the length."""
    try:
        ranges = parse_ranges(data.decode("latin-1"))
    except RangeError:
        return
    assert parse_ranges(format_ranges(ranges)) == ranges
    for requested in ranges:
        for length in LENGTHS:
            with suppress(UnsatisfiableError):
                span = resolve_range(requested, length)
                assert 0 <= span.start < span.stop <= length
                assert span.length <= length
                assert format_content_range(span, length).endswith(f"-{span.stop - 1}/{length}")


def format_ranges(ranges: list[ByteRange]) -> str:
    """Format ranges as a Range field."""
    texts = (f"{'' if first is None else first}-{'' if last is None else last}" for first, last in ranges)
    return "bytes=" + ",".join(texts)


def parse_accept_field(data: bytes) -> None:
    """The choice is one of the offer, and ranges of other types do not change it."""
    field = data.decode("latin-1")
    for offer in OFFERS:
        try:
            chosen = choose_media_type(field, offer)
        except HTTPException as error:
            check_refusal(error)
            continue
        assert chosen in offer
        if field and field.count(",") < MAX_ACCEPTED - 1:
            assert choose_media_type(f"x/y;q=0.1,{field}", offer) == chosen
        if field:
            assert choose_media_type(f"{chosen},*/*;q=0", offer) == chosen


def parse_tag_fields(data: bytes) -> None:
    """What matches strongly also matches weakly, and a list with the tag matches."""
    field = data.decode("latin-1")
    assert matches_weakly(field, TAG) or not matches_strongly(field, TAG)
    assert matches_strongly(f"{TAG}, {field}", TAG)
    assert matches_weakly(f"W/{TAG}, {field}", TAG)
    assert matches_strongly(field, TAG) or not keeps_range(field, TAG)


def parse_digest_fields(data: bytes) -> None:
    """The algorithm is a known one, and the client reads the digest that the service writes."""
    field = data.decode("latin-1")
    algorithm = choose_algorithm(field)
    assert algorithm is None or algorithm in field
    digest = parse_digest(field)
    assert digest is None or base64.b64encode(digest).decode()[:42] in field  # the last has spare bits
    for name, function in ALGORITHMS.items():
        value = function(data).digest()
        expected = value if name == "sha-256" else None
        assert parse_digest(format_repr_digest(name, value)) == expected
    assert parse_digest(f"{format_repr_digest('sha-256', hashlib.sha256(data).digest())}, a=1") is not None


def read_texts(data: bytes) -> None:
    """Texts of clients become file names, ids, peers and lines of the log, all safe to send."""
    text = data.decode("utf-8", "replace")
    disposition = format_disposition(text, ".npy")
    assert disposition.isascii()
    assert disposition.isprintable()
    assert disposition.count('"') == 2
    assert len(disposition) < 2000
    assert 1 <= len(choose_request_id([(b"x-request-id", data)])) <= 128
    identify_peer(text)
    hidden = hide_secrets(text)
    assert len(hidden) <= len(text) + 3 * (1 + text.count("&"))
    assert hide_secrets(hidden) == hidden
