"""Helpers of the stream's tests: specs, slices, and draws of the kernels and the reference."""

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

from service.core import LayerSpec, resolve_parameters
from service.stream import Tensor, reference
from service.stream.inverse_cdf import load_tables
from service.stream.kernels import DISTRIBUTION_CODES, DTYPE_CODES
from service.stream.kernels.fill import convert

DISTRIBUTIONS = ("uniform", "normal", "truncated_normal")
DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
LAST_POSITION = 2**63 - 1


def make_spec(**values):
    """Return a spec of He's scheme (variance 2 / fan_in) with seed 42 by default."""
    return LayerSpec.parse({"layout": "OI", "activation": "relu", "seed": 42, "name": "test"} | values)


def make_tensor(slices=None, **values):
    spec = make_spec(**values)
    return Tensor.of(spec, resolve_parameters(spec), slices)


def draw(slices=None, **values):
    """Return a slice of a tensor drawn by the kernels, as an array of its dtype in memory order."""
    drawn = make_tensor(slices, **values)
    return np.frombuffer(drawn.read(), DTYPES[drawn.dtype]).reshape(drawn.shape)


def draw_reference(slices=None, **values):
    """Return the same slice drawn by the NumPy reference."""
    spec = make_spec(**values)
    slices = slices or tuple(slice(0, size) for size in spec.shape)
    return reference.draw_slices(spec, resolve_parameters(spec), slices).view(DTYPES[spec.dtype])


def draw_bytes(drawn, start, count):
    """Return the bytes of `count` elements of a tensor, from element `start` on."""
    out = np.empty(count * drawn.itemsize, np.uint8)
    drawn.fill(start, out)
    return out.tobytes()


def convert_words(words, distribution, dtype, factor, bound):
    """Return at most a block of random words as weights, converted by the kernels."""
    padded = np.zeros((words.size + 3) & ~3, np.uint32)
    padded[: words.size] = words
    y, index = np.empty(padded.size), np.empty(padded.size, np.uint32)
    out = np.empty(words.size * DTYPES[dtype].itemsize, np.uint8)
    distribution_code, dtype_code = DISTRIBUTION_CODES[distribution], DTYPE_CODES[dtype]
    convert(padded, words.size, distribution_code, load_tables(), factor, bound, dtype_code, index, y, out)
    return out.view(DTYPES[dtype])


def convert_words_by_reference(words, distribution, dtype, factor, bound):
    """Return the same, converted by the NumPy reference."""
    product = factor * reference.transform(words, distribution)
    return reference.round_to(np.clip(product, -bound, bound), dtype).view(DTYPES[dtype])


@st.composite
def cuts(draw):
    """Generate specs of any rank, layout, distribution and dtype, each with a slice of at most 6000 elements.

    Some axes are huge, so that positions reach 2^63; slices often touch the borders of the tensor.
    """
    layout = draw(st.text("BGOIDHW", min_size=1, max_size=8))
    room, shape = LAST_POSITION, []
    for _ in layout:
        largest = min(room, draw(st.sampled_from([9, 5000, 2**40, 2**63])))
        shape.append(draw(st.integers(1, largest)))
        room //= shape[-1]
    budget, slices = 6000, [slice(0, 1)] * len(shape)
    for axis in draw(st.permutations(range(len(shape)))):
        extent = draw(st.integers(1, min(budget, shape[axis])))
        last = shape[axis] - extent
        start = draw(st.sampled_from([0, last]) | st.integers(0, last))
        slices[axis] = slice(start, start + extent)
        budget //= extent
    values = {
        "shape": shape,
        "layout": layout,
        "fan_in": draw(st.integers(1, 10**14)),
        "fan_out": 1,
        "distribution": draw(st.sampled_from(DISTRIBUTIONS)),
        "dtype": draw(st.sampled_from(tuple(DTYPES))),
        "activation": "relu",
        "seed": draw(st.integers(0, 2**64 - 1)),
        "name": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=100)),
    }
    return values, tuple(slices)
