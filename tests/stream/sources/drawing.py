"""Helpers: sources of slices with plain arguments, their bytes, and parts of those."""

import numpy as np
from hypothesis import strategies as st

from service.core import LayerSpec, resolve_parameters
from service.core.slices import compute_shape, select_all
from service.stream import derive_key, make_source
from service.stream.order import find_positions
from service.stream.reference import number_positions
from service.stream.sources.shifted import ShiftedTensor
from service.stream.sources.sparse import SparseTensor
from tests.stream.drawing import DTYPES

KEY, MASK_KEY = derive_key(42, "sources"), derive_key(42, "sources", domain=b"weightinit sparse")
SEEDED = {"seed": 42, "name": "sources"}
INF = float("inf")


def make_shifted(shape, layout="OI", slices=None, distribution="normal", dtype="float32", **scaling):
    """Return a shifted tensor of unit factor and mean 0 within ±8, unless told otherwise."""
    slices = slices or select_all(shape)
    positions = find_positions(shape, layout, slices)
    values = {"factor": 1.0, "mean": 0.0, "low": -8.0, "high": 8.0} | scaling
    return ShiftedTensor(KEY, compute_shape(slices), positions, distribution, dtype, **values)


def draw_spec(fields):
    """Return the bytes of the source of a spec."""
    spec = LayerSpec.parse(fields)
    source = make_source(spec, resolve_parameters(spec))
    out = np.empty(source.nbytes, np.uint8)
    source.bind()(0, out)
    return out.tobytes()


def list_positions(shape, layout="OI", slices=None):
    """Return the canonical positions of the elements of a slice, in memory order."""
    return number_positions(shape, layout, slices or select_all(shape)).ravel()


def view(source, kind=None):
    """Return the elements of a source as an array of its dtype."""
    return np.frombuffer(source.read(), kind or DTYPES[source.dtype]).reshape(source.extent)


def read_range(source, start, count):
    """Return the bytes of `count` elements, from element `start` on, through bind()."""
    out = np.empty(count * source.itemsize, np.uint8)
    source.bind()(start, out)
    return out.tobytes()


@st.composite
def ranges(draw, source):
    """Generate a start and a count of elements of a source."""
    total = source.nbytes // source.itemsize
    start = draw(st.integers(0, total - 1))
    return start, draw(st.integers(1, total - start))


@st.composite
def slices_of(draw, shape):
    """Generate slices of a shape, none empty."""
    ends = [sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in shape]
    return tuple(slice(*pair) for pair in ends)


def make_sparse(shape, layout="OI", slices=None, dtype="float32", factor=0.1, sparsity=0.5, axis="I"):
    """Return a sparse tensor or a slice of it."""
    return SparseTensor(
        KEY, MASK_KEY, shape, layout, slices or select_all(shape), dtype, factor, sparsity, axis
    )
