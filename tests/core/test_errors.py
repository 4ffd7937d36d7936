import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import FieldError, SpecError
from service.core.errors import MISSING, describe_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3.0"),
        ("3", '"3"'),
        (True, "true"),
        (None, "null"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (MISSING, "nothing"),
        ('a"b\n', '"a\\"b\\n"'),
        ("\ud800", '"\\ud800"'),
        ("x" * 81, f'"{"x" * 80}…"'),
        (-(10**60), "an integer of about 61 digits"),
        ([1, "a", None], '[1, "a", null]'),
        ([[[[1]]]], "[[[…]]]"),
        (list(range(10)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        ({"a": 1}, "an object"),
        (b"x", "a value of type bytes"),
    ],
)
def test_any_value_becomes_short_safe_text(value, text):
    assert describe_value(value) == text


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_described_in_utf_8(text):
    assert len(describe_value(text).encode()) < 1000


def test_the_message_has_field_rule_received_and_suggestions():
    error = FieldError.of("activation", "must name an activation function", "relo", ("relu", "rrelu"))
    assert error.message == (
        'activation must name an activation function; received "relo". Did you mean relu or rrelu?'
    )


def test_an_error_survives_pickling():
    error = SpecError([FieldError.of("seed", "is required", MISSING)])
    assert pickle.loads(pickle.dumps(error)).errors == error.errors


def test_the_text_of_an_error_has_every_message():
    errors = [FieldError.of("seed", "is required", MISSING), FieldError.of("groups", "must divide 64", 5)]
    assert str(SpecError(errors)) == "seed is required; received nothing; groups must divide 64; received 5"
