"""A box is what NumPy would cut out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weightinit import SpecRejected
from weightinit.spec.slices import TensorSlice

SHAPE = (7, 5, 3)


@st.composite
def draw_slices(draw):
    """Draw slice objects for some of the axes, from anywhere to anywhere."""
    bound = st.none() | st.integers(-10, 10)
    return tuple(
        slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1])))
        for _ in range(draw(st.integers(0, 3)))
    )


@given(draw_slices())
def test_slices_cut_out_what_numpy_does(slices):
    box = TensorSlice.of(slices, SHAPE)
    assert box.shape == np.empty(SHAPE)[slices].shape


@given(draw_slices())
def test_its_text_asks_for_the_same_box(slices):
    box = TensorSlice.of(slices, SHAPE)
    if 0 not in box.shape:
        assert TensorSlice.of(box.text, SHAPE) == box


@pytest.mark.parametrize(
    ("slices", "text", "shape"),
    [
        (None, "", (7, 5, 3)),
        ("", "", (7, 5, 3)),
        (":", "", (7, 5, 3)),
        ("0:7,:,0:3", "", (7, 5, 3)),
        ("2:4", "2:4", (2, 5, 3)),
        ("2:", "2:7", (5, 5, 3)),
        (":,:2", ":,0:2", (7, 2, 3)),
        (slice(2, 4), "2:4", (2, 5, 3)),
        ((slice(None), slice(-2, None)), ":,3:5", (7, 2, 3)),
        ((slice(5, 99),), "5:7", (2, 5, 3)),
        ((slice(3, 3),), "3:3", (0, 5, 3)),
        ((slice(np.int64(1), np.int64(2)),), "1:2", (1, 5, 3)),
    ],
)
def test_a_box_has_the_shortest_text(slices, text, shape):
    assert TensorSlice.of(slices, SHAPE) == TensorSlice(text, shape)


@pytest.mark.parametrize(
    "slices",
    [
        "1",
        "::2",
        "-2:",
        "0:8",
        "3:3",
        "4:2",
        "7:",
        "a:b",
        "0:1,0:1,0:1,0:1",
        ",",
        " 0:1",
        "٠:١",
        "0:" + "9" * 30,
        (slice(0, 4, 2),),
        (slice(None, None, -1),),
        (1, 2),
        [slice(None)],
        (...,),
        (slice(None),) * 4,
    ],
)
def test_what_is_no_box_is_refused(slices):
    with pytest.raises(SpecRejected, match=r"^slice must"):
        TensorSlice.of(slices, SHAPE)
