import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.ranges import (
    MAX_RANGES,
    ByteRange,
    RangeError,
    Span,
    UnsatisfiableError,
    format_content_range,
    parse_ranges,
    resolve_range,
)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("bytes=0-0", [(0, 0)]),
        ("bytes=0-499", [(0, 499)]),
        ("bytes=500-", [(500, None)]),
        ("bytes=-500", [(None, 500)]),
        ("BYTES=1-2", [(1, 2)]),
        ("bytes=,0-1", [(0, 1)]),
        ("bytes=0-1, ,2-3 ,", [(0, 1), (2, 3)]),
        ("bytes=0007-0009", [(7, 9)]),
        ("bytes=9-1000000000000000000000000000000000000000000000", [(9, 10**29)]),
    ],
)
def test_a_set_of_ranges_is_read(text, ranges):
    assert parse_ranges(text) == [ByteRange(*pair) for pair in ranges]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=,",
        "bytes=5-2",
        "bytes=0-1,5-2",
        "bytes=a-b",
        "bytes=0-1;q=1",
        "bytes =0-1",
        " bytes=0-1",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=--1",
        "bytes=0x1-2",
        "bytes=٣-٤",
        "bytes=0-1-2",
        "items=0-1",
        "rows=0-1",
    ],
)
def test_what_is_no_set_of_byte_ranges_is_an_error(text):
    with pytest.raises(RangeError):
        parse_ranges(text)


@pytest.mark.parametrize(
    ("requested", "span"),
    [
        ((0, 0), (0, 1)),
        ((0, None), (0, 1200)),
        ((1199, None), (1199, 1200)),
        ((0, 99999), (0, 1200)),
        ((None, 500), (700, 1200)),
        ((None, 99999), (0, 1200)),
    ],
)
def test_a_range_is_resolved_to_half_open_positions(requested, span):
    assert resolve_range(ByteRange(*requested), 1200) == Span(*span)


@pytest.mark.parametrize("requested", [(1200, None), (1200, 1300), (10**29, None), (None, 0)])
def test_a_range_without_a_byte_is_unsatisfiable(requested):
    with pytest.raises(UnsatisfiableError) as caught:
        resolve_range(ByteRange(*requested), 1200)
    assert caught.value.length == 1200


def test_positions_beyond_what_python_converts_are_read():
    assert parse_ranges("bytes=" + "9" * 5000 + "-")[0].first == int("9" * 30)


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 2000))
def test_a_range_covers_the_positions_from_first_to_last(first, extra, length):
    requested = ByteRange(first, first + extra)
    covered = [position for position in range(first, first + extra + 1) if position < length]
    if not covered:
        with pytest.raises(UnsatisfiableError):
            resolve_range(requested, length)
        return
    span = resolve_range(requested, length)
    assert list(range(*span)) == covered
    assert format_content_range(span, length) == f"bytes {covered[0]}-{covered[-1]}/{length}"


def test_a_set_of_too_many_ranges_is_an_error():
    assert len(parse_ranges("bytes=" + ",".join(["0-0"] * MAX_RANGES))) == MAX_RANGES
    with pytest.raises(RangeError, match="too many ranges"):
        parse_ranges("bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)))
