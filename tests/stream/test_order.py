"""Canonical order: which position each element of a tensor takes, whatever its layout."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.stream.order import compute_strides, find_positions
from service.stream.reference import number_positions
from tests.stream.drawing import cuts, make_tensor

# By hand from docs/stream.md, section 2: the steps in canonical order that one step along each axis makes.
BY_HAND = [
    ("dense, Keras", (784, 300), "IO", (1, 784)),
    ("dense, PyTorch", (300, 784), "OI", (784, 1)),
    ("convolution, Keras", (3, 5, 64, 128), "HWIO", (5, 1, 15, 960)),
    ("convolution, PyTorch", (128, 64, 3, 5), "OIHW", (960, 15, 5, 1)),
    ("transposed convolution, PyTorch", (64, 128, 3, 5), "IOHW", (15, 960, 5, 1)),
    ("depthwise, Keras", (3, 3, 32, 2), "HWGO", (3, 1, 18, 9)),
    ("volume", (2, 3, 5, 7, 11), "DHWIO", (15, 5, 1, 30, 210)),
    ("stacks", (2, 3, 5, 7), "GBIO", (35, 70, 1, 5)),
    ("repeated letters keep their order", (2, 3, 5, 7), "IOIO", (5, 70, 1, 10)),
    ("bias", (10,), "O", (1,)),
]


@pytest.mark.parametrize(
    ("shape", "layout", "strides"), [row[1:] for row in BY_HAND], ids=[row[0] for row in BY_HAND]
)
def test_strides_are_those_computed_by_hand(shape, layout, strides):
    assert compute_strides(shape, layout) == strides


def small_tensors():
    """Layouts with shapes of at most a few thousand elements."""
    axes = st.tuples(st.sampled_from("BGOIDHW"), st.integers(1, 4))
    return st.lists(axes, min_size=1, max_size=8).filter(lambda axes: math.prod(s for _, s in axes) <= 4000)


@given(axes=small_tensors())
@settings(deadline=None)
def test_every_position_is_taken_once(axes):
    layout, shape = zip(*axes, strict=True)
    positions = number_positions(shape, "".join(layout), tuple(slice(0, size) for size in shape))
    assert sorted(positions.ravel().tolist()) == list(range(math.prod(shape)))


@given(axes=small_tensors())
@settings(deadline=None)
def test_canonical_order_is_row_major_over_the_axes_sorted(axes):
    layout, shape = zip(*axes, strict=True)
    order = [axis for letter in "BGOIDHW" for axis, found in enumerate(layout) if found == letter]
    positions = number_positions(shape, "".join(layout), tuple(slice(0, size) for size in shape))
    assert positions.transpose(order).ravel().tolist() == list(range(math.prod(shape)))


@given(cut=cuts())
@settings(deadline=None)
def test_strided_positions_are_those_of_the_slices_in_memory_order(cut):
    values, slices = cut
    strided = find_positions(tuple(values["shape"]), values["layout"], slices)
    steps = [np.arange(size, dtype=np.uint64) for size in strided.sizes]
    visited = np.uint64(strided.offset) + sum(
        index * np.uint64(stride)
        for index, stride in zip(np.meshgrid(*steps, indexing="ij"), strided.strides, strict=True)
    )
    positions = number_positions(tuple(values["shape"]), values["layout"], slices)
    assert visited.ravel().tolist() == positions.ravel().tolist()
    assert math.prod(strided.sizes) == positions.size


@pytest.mark.parametrize("layout", ["OI", "OIW", "OIHW", "OIDHW", "BOI", "GOIHW", "O"])
def test_a_whole_tensor_in_canonical_layout_is_one_run(layout):
    shape = tuple(range(2, 2 + len(layout)))
    assert find_positions(shape, layout, tuple(slice(0, size) for size in shape)) == (
        (math.prod(shape),),
        (1,),
        0,
    )


def test_one_element_takes_one_position():
    assert find_positions((7, 9), "IO", (slice(3, 4), slice(5, 6))) == ((1,), (1,), 3 + 5 * 7)


def test_axes_of_one_element_change_nothing():
    shapes = itertools.product((4096, 1), (1, 300), (1,), (1, 2))
    for shape in shapes:
        bare = "".join(letter for letter, size in zip("OIHW", shape, strict=True) if size > 1) or "O"
        squeezed = tuple(size for size in shape if size > 1) or (1,)
        fans = {"fan_in": 7, "fan_out": 7}
        full = make_tensor(shape=shape, layout="OIHW", **fans)
        assert full.read() == make_tensor(shape=squeezed, layout=bare, **fans).read()
