import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import SpecError
from service.core.slices import format_slices, parse_slices


@pytest.mark.parametrize(
    ("text", "slices"),
    [
        (":", ((0, 784), (0, 300))),
        (":,:", ((0, 784), (0, 300))),
        ("0:128", ((0, 128), (0, 300))),
        ("0:128,:", ((0, 128), (0, 300))),
        ("700:,:1", ((700, 784), (0, 1))),
        ("783:784,299:300", ((783, 784), (299, 300))),
        ("007:0008", ((7, 8), (0, 300))),
    ],
)
def test_a_slice_means_what_it_means_in_numpy(text, slices):
    assert [(cut.start, cut.stop) for cut in parse_slices(text, (784, 300))] == list(slices)


FORM = "slice[0] must be start:stop, where both numbers are optional"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'slice[0] must be start:stop, where both numbers are optional; received ""'),
        ("5", f'{FORM}: write 5:6 to keep the axis; received "5"'),
        ("0:3:2", 'slice[0] must be start:stop, where both numbers are optional; received "0:3:2"'),
        ("-3:", 'slice[0] must be start:stop, where both numbers are optional; received "-3:"'),
        (":,...", 'slice[1] must be start:stop, where both numbers are optional; received "..."'),
        (" 0:1", 'slice[0] must be start:stop, where both numbers are optional; received " 0:1"'),
        ("٣:٤", 'slice[0] must be start:stop, where both numbers are optional; received "٣:٤"'),
        (":,:,:", 'slice must have at most one slice for each axis of shape, 2; received ":,:,:"'),
        ("0:785", 'slice[0] must stay within the axis, 0:784; received "0:785"'),
        ("785:", 'slice[0] must stay within the axis, 0:784; received "785:"'),
        ("3:3", 'slice[0] must not be empty: start must be less than stop; received "3:3"'),
        ("784:", 'slice[0] must not be empty: start must be less than stop; received "784:"'),
        ("5:3", 'slice[0] must not be empty: start must be less than stop; received "5:3"'),
        (":,1:0", 'slice[1] must not be empty: start must be less than stop; received "1:0"'),
    ],
)  # fmt: skip
def test_a_wrong_slice_is_refused_with_its_rule(text, message):
    with pytest.raises(SpecError) as caught:
        parse_slices(text, (784, 300))
    assert str(caught.value) == message


def test_every_wrong_slice_is_reported():
    with pytest.raises(SpecError) as caught:
        parse_slices("x,9:9", (784, 300))
    assert [error.field for error in caught.value.errors] == ["slice[0]", "slice[1]"]


def test_digits_beyond_what_python_converts_are_refused():
    with pytest.raises(SpecError, match="must stay within the axis"):
        parse_slices("0:" + "1" * 5000, (784, 300))


@given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_slices_are_formatted_as_the_text_that_selects_them(data, shape):
    slices = []
    for length in shape:
        start = data.draw(st.integers(0, length - 1))
        slices.append(slice(start, data.draw(st.integers(start + 1, length))))
    text = format_slices(tuple(slices), tuple(shape))
    assert parse_slices(text or ":", tuple(shape)) == tuple(slices)
    whole = np.arange(np.prod(shape)).reshape(shape)
    assert np.array_equal(whole[tuple(slices)], eval(f"whole[{text or ':'}]"))
