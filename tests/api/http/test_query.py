from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.query import MAX_PARAMETERS, decode_query
from service.core import SpecError


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=MAX_PARAMETERS))
def test_what_urlencode_writes_is_read_back(pairs):
    assert decode_query(urlencode(pairs).encode()) == pairs


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", []),
        (b"&&a=1&", [("a", "1")]),
        (b"a", [("a", "")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a+b=%2B+", [("a b", "+ ")]),
        ("name=é".encode(), [("name", "é")]),
    ],
)
def test_the_corners_of_a_query_are_read(query, pairs):
    assert decode_query(query) == pairs


@pytest.mark.parametrize(
    ("query", "field", "received"),
    [
        (b"name=%", "name", '"%"'),
        (b"name=%4", "name", '"%4"'),
        (b"name=%zz", "name", '"%zz"'),
        (b"name=%u1234", "name", '"%u1234"'),
        (b"name=%FF", "name", '"%FF"'),
        (b"name=\xff", "name", '"\\\\xff"'),
        (b"name=%C3", "name", '"%C3"'),
        (b"name=%ED%A0%80", "name", '"%ED%A0%80"'),
        (b"name=%C0%AF", "name", '"%C0%AF"'),
        (b"%=3", "query", '"3"'),
        (b"%FF=3", "query", '"3"'),
    ],
)
def test_what_is_not_percent_encoded_utf8_is_refused(query, field, received):
    with pytest.raises(SpecError) as caught:
        decode_query(b"shape=3,3&" + query)
    (error,) = caught.value.errors
    assert (error.field, error.rule, error.received) == (field, "must be percent-encoded UTF-8", received)


@given(st.binary())
def test_any_bytes_are_read_or_refused(query):
    try:
        decode_query(query)
    except SpecError as error:
        str(error).encode()


def test_a_query_of_too_many_parameters_is_refused_before_it_is_decoded():
    assert len(decode_query(b"&".join([b"a=1"] * MAX_PARAMETERS))) == MAX_PARAMETERS
    with pytest.raises(SpecError, match="query must have at most 100 parameters; received 101"):
        decode_query(b"&".join([b"%"] * (MAX_PARAMETERS + 1)))
