"""Sparse tensors: exactly k zeros in each unit, all subsets equally likely, the other draws unchanged."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from service.core.slices import select_all
from service.stream import Tensor, derive_key
from service.stream.order import find_positions
from service.stream.sources import reference, sparse
from service.stream.sources.sparse import MASK_DOMAIN, SparseTensor, ThresholdCache
from tests.stream.drawing import DTYPES
from tests.stream.sources.drawing import (
    KEY,
    MASK_KEY,
    SEEDED,
    draw_spec,
    make_sparse,
    ranges,
    read_range,
    slices_of,
    view,
)

AXES = pytest.mark.parametrize("axis", ["I", "O"])
#: Contiguous units and others, stacks, space, one element, and a unit of several tiles.
LAYOUTS = {
    "OI": (30, 40),
    "IO": (40, 30),
    "HWIO": (3, 2, 5, 7),
    "OIHW": (7, 5, 3, 2),
    "GIO": (4, 6, 5),
    "HWGO": (3, 3, 8, 2),
    "IBOO": (5, 3, 2, 4),
    "O": (9,),
}


def draw_normal(shape, layout, dtype="float32", factor=0.1):
    """Return the same tensor without zeros."""
    positions = find_positions(shape, layout, select_all(shape))
    drawn = Tensor(KEY, shape, positions, "normal", dtype, factor, float("inf"))
    return np.frombuffer(drawn.read(), DTYPES[dtype]).reshape(shape)


def count_zeros(values, layout, axis):
    """Return the number of zeros of each unit."""
    letters = "IDHW" if axis == "I" else "O"
    return (values == 0).sum(tuple(place for place, letter in enumerate(layout) if letter in letters))


@AXES
@pytest.mark.parametrize(("layout", "shape"), LAYOUTS.items())
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_draws_are_those_of_a_normal_but_for_the_zeros_of_the_reference(layout, shape, axis, dtype):
    values = view(make_sparse(shape, layout, dtype=dtype, sparsity=0.7, axis=axis))
    zeros = reference.find_zeros(MASK_KEY, shape, layout, 0.7, axis)
    expected = np.where(zeros, DTYPES[dtype].type(0), draw_normal(shape, layout, dtype))
    assert values.tobytes() == expected.astype(DTYPES[dtype]).tobytes()


@AXES
@pytest.mark.parametrize(("layout", "shape"), [row for row in LAYOUTS.items() if row[0] not in {"O", "HWGO"}])
def test_the_page_alone_gives_the_same_bytes(independent, layout, shape, axis):
    fields = {"scheme": "sparse", "shape": shape, "layout": layout, "sparsity_axis": axis, **SEEDED}
    fields |= {"stddev": 0.1, "sparsity": 0.7}
    assert independent.draw(fields) == draw_spec(fields)


@AXES
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 1 / 3, 0.5, 0.9, 0.999])
def test_every_unit_has_as_many_zeros_as_torchs(axis, sparsity):
    # torch.nn.init.sparse_ gives each column, all outputs of one input, ceil(sparsity · rows) zeros.
    shape = (60, 50) if axis == "O" else (50, 60)
    theirs = torch.nn.init.sparse_(torch.empty(60, 50), sparsity, generator=torch.Generator().manual_seed(1))
    expected = (theirs == 0).sum(0).unique().tolist()
    assert expected == [math.ceil(sparsity * 60)]
    found = count_zeros(view(make_sparse(shape, sparsity=sparsity, axis=axis)), "OI", axis)
    assert np.unique(found).tolist() == expected


@AXES
def test_a_tensor_in_another_layout_is_its_transpose(axis):
    torchs, keras = (
        view(make_sparse(shape, layout, axis=axis))
        for shape, layout in [((9, 8, 3, 2), "OIHW"), ((3, 2, 8, 9), "HWIO")]
    )
    assert np.array_equal(torchs, keras.transpose(3, 2, 0, 1))


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_range_of_any_slice_is_that_of_the_whole(data):
    layout, shape = data.draw(st.sampled_from([*LAYOUTS.items()]))
    rest = {"axis": data.draw(st.sampled_from("IO")), "sparsity": data.draw(st.floats(0, 0.99))}
    slices, dtype = data.draw(slices_of(shape)), data.draw(st.sampled_from([*DTYPES]))
    part = make_sparse(shape, layout, slices, dtype, **rest)
    start, count = data.draw(ranges(part))
    whole = view(make_sparse(shape, layout, dtype=dtype, **rest))[slices].ravel()
    assert read_range(part, start, count) == whole[start : start + count].tobytes()


@AXES
def test_units_larger_than_a_batch_have_their_zeros(axis):
    shape = (3, 200_000) if axis == "I" else (200_000, 3)
    values = view(make_sparse(shape, sparsity=0.9, axis=axis))
    assert count_zeros(values, "OI", axis).tolist() == [180_000] * 3


@pytest.mark.parametrize("size", [70_000, 200_000])
def test_a_large_unit_is_that_of_the_reference(size):
    values = view(make_sparse((2, size), sparsity=0.3))
    assert np.array_equal(values == 0, reference.find_zeros(MASK_KEY, (2, size), "OI", 0.3))


@pytest.mark.parametrize("size", [2**16, 2**19], ids=["in one batch", "in several"])
def test_equal_words_are_zeroed_in_the_order_of_their_positions(size):
    for row in range(32):  # until a unit has two equal words: about every other one, or the first
        words = reference.draw_words(MASK_KEY, np.arange(row * size, (row + 1) * size, dtype=np.uint64))
        ordered = np.sort(words)
        equal = np.flatnonzero(ordered[1:] == ordered[:-1])
        if equal.size:
            break
    zeros = int(equal[0]) + 1  # cut between the two
    sparsity = math.nextafter(zeros / size, 0)
    assert math.ceil(sparsity * size) == zeros
    found = np.flatnonzero(words == ordered[zeros - 1])
    values = view(make_sparse((32, size), slices=(slice(row, row + 1), slice(0, size)), sparsity=sparsity))
    assert (values.ravel()[found] == 0).tolist() == [True, False]


def test_every_subset_is_equally_likely():
    # Two zeros among five elements: ten subsets, each expected 2000 times.
    zeros = view(make_sparse((20_000, 5), sparsity=0.4)) == 0
    subsets = np.unique(zeros, axis=0, return_counts=True)[1]
    assert subsets.size == 10
    assert stats.chisquare(subsets).pvalue > 1e-3


def test_zeros_do_not_depend_on_the_draws():
    shape = (1000, 200)
    normal, zeros = draw_normal(shape, "OI", "float64"), view(make_sparse(shape)) == 0
    assert stats.kstest(normal[zeros] / 0.1, "norm").pvalue > 1e-3
    assert stats.kstest(normal[~zeros] / 0.1, "norm").pvalue > 1e-3


def test_the_mask_has_a_key_of_its_own():
    assert MASK_DOMAIN == b"weightinit sparse"
    assert MASK_KEY == derive_key(42, "sources", domain=MASK_DOMAIN) != KEY


def test_zeros_are_positive():
    values = view(make_sparse((100, 100), dtype="bfloat16"))
    assert not np.signbit(values[values == 0].astype(np.float32)).any()


def test_another_field_is_another_identity():
    others = [make_sparse((4, 4)), make_sparse((4, 4), sparsity=0.25), make_sparse((4, 4), axis="O")]
    others += [
        make_sparse((4, 4), factor=0.2),
        make_sparse((4, 4), "IO"),
        make_sparse((4, 4), dtype="float16"),
    ]
    others += [make_sparse((4, 4), slices=(slice(0, 2), slice(0, 4)))]
    others += [SparseTensor(KEY, KEY, (4, 4), "OI", select_all((4, 4)), "float32", 0.1, 0.5)]
    assert len({source.identity for source in others}) == len(others)


def test_a_slice_draws_only_the_thresholds_that_it_needs():
    rows = (slice(2**20, 2**20 + 3), slice(0, 4096))
    source = make_sparse((2**30, 4096), slices=rows)
    assert source.estimate_draws() <= 3 * 16 * 4096
    assert view(source).shape == (3, 4096)


class TestCache:
    @staticmethod
    def make(size):
        return np.zeros(size, np.uint32), np.zeros(size, np.int64)

    def test_it_computes_once(self):
        cache, computed = ThresholdCache(10), []
        for _ in range(3):
            cache.get(("a",), lambda: computed.append(1) or self.make(2))
        assert computed == [1]

    def test_the_oldest_makes_room(self):
        cache = ThresholdCache(10)
        for name in "abc":
            cache.get((name,), lambda: self.make(4))
        cache.get(("b",), lambda: pytest.fail("b is kept"))
        computed = []
        cache.get(("a",), lambda: computed.append(1) or self.make(4))
        assert computed == [1]

    def test_a_bounded_cache_changes_no_byte(self, monkeypatch):
        whole = make_sparse((4096, 30), "IO", axis="O").read()
        monkeypatch.setattr(sparse, "CACHE", ThresholdCache(1))
        assert make_sparse((4096, 30), "IO", axis="O").read() == whole
