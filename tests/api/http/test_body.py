import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from service.api.http.body import MAX_INTEGER_DIGITS, parse_json
from service.core import SpecError

NO_NAME = "Expecting property name enclosed in double quotes"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES))
def test_any_json_object_is_read(values):
    assert parse_json(json.dumps(values).encode()) == values


NAMES = ['"a"', '"b"', r'"\u0061"', '"a:b"', r'"\ud800"', "1"]
ITEMS = [*NAMES, "-0.0", "01", "1e999", str(2**64), "9" * 4000, "NaN", "-NaN", "[[1],2]", "{}", "nul"]
FLAT = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ITEMS)))


@given(FLAT, st.sampled_from(["", " ", "\x0b", "\ufeff", "x"]))
def test_what_is_plain_is_read_as_strictly_as_what_is_not(pairs, end):
    text = "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}" + end

    def read(body):
        try:
            return repr(parse_json(body))
        except (SpecError, HTTPException) as error:
            return repr(error)

    assert read(text.encode()) == read(text.encode() + b" " * MAX_INTEGER_DIGITS)  # too long to be plain


@given(st.binary())
def test_any_bytes_are_read_or_refused(body):
    try:
        parse_json(body)
    except SpecError as error:
        str(error).encode()
    except HTTPException as error:
        str(error.detail).encode()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "The body is not JSON: Expecting value at line 1, column 1."),
        (
            b"{",
            "The body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2.",
        ),
        (
            b"{'a': 1}",
            "The body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2.",
        ),
        (b'{"a": 1} 2', "The body is not JSON: Extra data at line 1, column 10."),
        (b'{"a": 01}', "The body is not JSON: Expecting ',' delimiter at line 1, column 8."),
        (b'{"a": "\xff"}', "The body is not UTF-8."),
        ('{"a": 1}'.encode("utf-16"), "The body is not UTF-8."),
        (b"[" * 60000, "The body is nested too deeply."),
        (b'{"a":' * 10000, "The body is nested too deeply."),
    ],
)
def test_what_is_not_json_is_refused(body, detail):
    with pytest.raises(HTTPException) as caught:
        parse_json(body)
    assert (caught.value.status_code, caught.value.detail) == (400, detail)


@pytest.mark.parametrize("body", [b"[]", b"3", b'"a"', b"null", b"NaN", b"true"])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(SpecError, match="spec must be an object"):
        parse_json(body)


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'{"b": {"a": 1, "a": 2}}', b'{"a": 1, "\\u0061": 2}'])
def test_a_name_that_is_there_twice_is_refused(body):
    with pytest.raises(SpecError, match='spec must have each name once; received "a"'):
        parse_json(body)


def test_numbers_that_no_field_takes_are_left_to_the_fields():
    values = parse_json(b'{"a": NaN, "b": 1e999, "c": -Infinity, "d": 18446744073709551616}')
    assert math.isnan(values["a"])
    assert values["b"] == math.inf
    assert values["c"] == -math.inf
    assert values["d"] == 2**64


def test_digits_beyond_what_python_converts_stay_text():
    assert parse_json(b'{"seed": ' + b"1" * 5000 + b"}") == {"seed": "1" * 5000}
