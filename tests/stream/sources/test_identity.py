"""Identity and Dirac tensors: torch.nn.init's, the reference's and the C program's."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.slices import select_all
from service.stream.sources import reference
from service.stream.sources.identity import IdentityTensor
from tests.stream.drawing import DTYPES
from tests.stream.sources.drawing import SEEDED, draw_spec, ranges, read_range, slices_of, view

#: Shape, layout and groups: square and not, stacked, grouped, depthwise, attention, and each rank.
KERNELS = {
    "square": ((9, 9), "OI", 1),
    "wide": ((5, 9), "OI", 1),
    "tall": ((9, 5), "OI", 1),
    "Keras": ((5, 9), "IO", 1),
    "stack": ((3, 4, 6), "GIO", 1),
    "heads": ((8, 2, 4), "IOO", 1),
    "1D": ((6, 4, 3), "OIW", 1),
    "2D": ((4, 6, 5, 4), "OIHW", 1),
    "3D": ((4, 4, 3, 2, 3), "OIDHW", 1),
    "3 groups": ((9, 2, 3, 3), "OIHW", 3),
    "groups of more inputs": ((4, 6, 3, 3), "OIHW", 2),
    "Keras convolution": ((3, 3, 4, 6), "HWIO", 1),
    "depthwise": ((3, 3, 8, 2), "HWGO", 1),
    "vector": ((7,), "O", 1),
}
KERNEL = pytest.mark.parametrize(("shape", "layout", "groups"), KERNELS.values(), ids=KERNELS)
CENTER = pytest.mark.parametrize("center", ["same", "torch"])


def make_identity(shape, layout="OI", slices=None, dtype="float32", gain=1.0, groups=1, center="same"):
    return IdentityTensor(shape, layout, slices or select_all(shape), dtype, gain, groups, center)


@KERNEL
@CENTER
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_kernel_writes_the_references_bits(shape, layout, groups, center, dtype):
    expected = reference.make_identity(shape, layout, -1.1, groups, center)
    source = make_identity(shape, layout, None, dtype, -1.1, groups, center)
    assert source.read() == reference.round_to(expected, dtype).tobytes()


@pytest.mark.parametrize(
    ("shape", "layout", "groups"), [kernel for kernel in KERNELS.values() if kernel[1] != "O"]
)
@CENTER
def test_the_page_alone_gives_the_same_bytes(independent, shape, layout, groups, center):
    fields = {"scheme": "identity", "shape": shape, "layout": layout, "gain": 1.1, **SEEDED}
    if set(layout) & set("DHW"):
        fields |= {"scheme": "dirac", "groups": groups, "center": center}
    assert independent.draw(fields) == draw_spec(fields)


@pytest.mark.parametrize("shape", [(9, 9), (5, 9), (9, 5), (1, 4), (300, 200)])
def test_a_matrix_is_torchs_identity(shape):
    assert np.array_equal(view(make_identity(shape)), torch.nn.init.eye_(torch.empty(shape)).numpy())


@pytest.mark.parametrize("space", [(3,), (4,), (3, 5), (2, 4), (3, 1, 2)])
@pytest.mark.parametrize(
    ("outputs", "inputs", "groups"), [(6, 6, 1), (4, 6, 1), (6, 4, 1), (6, 2, 3), (4, 6, 2)]
)
def test_with_space_it_is_torchs_dirac(space, outputs, inputs, groups):
    shape, layout = (outputs, inputs, *space), "OI" + "DHW"[3 - len(space) :]
    expected = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
    assert np.array_equal(view(make_identity(shape, layout, groups=groups, center="torch")), expected)
    if all(length % 2 for length in space):
        assert np.array_equal(view(make_identity(shape, layout, groups=groups)), expected)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7])
def test_the_center_keeps_a_signal_in_place_with_padding_same(length):
    signal = torch.randn(1, 3, 20, generator=torch.Generator().manual_seed(1))
    kernel = torch.from_numpy(view(make_identity((3, 3, length), "OIW")).copy())
    assert torch.equal(torch.nn.functional.conv1d(signal, kernel, padding="same"), signal)


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_range_of_any_slice_is_that_of_the_whole(data):
    shape, layout, groups = data.draw(st.sampled_from([*KERNELS.values()]))
    slices, dtype = data.draw(slices_of(shape)), data.draw(st.sampled_from([*DTYPES]))
    part = make_identity(shape, layout, slices, dtype, groups=groups)
    start, count = data.draw(ranges(part))
    whole = view(make_identity(shape, layout, dtype=dtype, groups=groups))[slices].ravel()
    assert read_range(part, start, count) == whole[start : start + count].tobytes()


def test_a_range_may_span_chunks():
    assert np.array_equal(view(make_identity((400, 300))), np.eye(400, 300))


def test_a_slice_of_a_huge_tensor_is_written_alone():
    last = 2**31 - 1
    source = make_identity((last, last), slices=(slice(last - 3, last), slice(last - 3, last)))
    assert np.array_equal(view(source), np.eye(3))


def test_groups_must_divide_the_outputs():
    with pytest.raises(ValueError, match="groups must divide the outputs, got 4 and 6"):
        make_identity((6, 2), groups=4)


def test_every_field_is_in_the_identity():
    others = [make_identity((4, 4)), make_identity((4, 4), "IO"), make_identity((4, 4), dtype="float64")]
    others += [
        make_identity((4, 4), **{name: value}) for name, value in [("gain", math.sqrt(2)), ("groups", 2)]
    ]
    others += [
        make_identity((4, 4), center="torch"),
        make_identity((4, 4), slices=(slice(0, 2), slice(0, 4))),
    ]
    assert len({source.identity for source in others}) == len(others)
