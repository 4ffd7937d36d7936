"""Shifted and cut distributions: the reference's bits, the C program's, and SciPy's distribution."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from service.core.cut import compute_cut, round_interval
from service.stream.sources import reference
from service.stream.sources.shifted import ShiftedTensor
from tests.stream.drawing import DISTRIBUTIONS, DTYPES, make_tensor
from tests.stream.sources.drawing import (
    INF,
    KEY,
    SEEDED,
    draw_spec,
    list_positions,
    make_shifted,
    ranges,
    read_range,
    slices_of,
    view,
)

# One-sided, symmetric, narrow, in a far tail, and with hardly more mass than is allowed.
CUTS = {
    "two sigma": (-2.0, 2.0),
    "three sigma": (-3.0, 3.0),
    "skewed": (-0.3, 5.0),
    "above zero": (0.0, INF),
    "below one": (-INF, 1.0),
    "two sided tail": (2.5, 2.6),
    "far tail": (-6.0, -4.0),
    "all": (-INF, INF),
    "mass of 2^-20": (-1e-6, 1.4e-6),
    "tail of 2^-20": (4.76, INF),
}
KINDS = {
    **{name: name for name in DISTRIBUTIONS},
    **{name: compute_cut(*cut)[:3] for name, cut in CUTS.items()},
}
#: The fields of specs: a mean beside each distribution, an interval, and each cut.
FIELDS = {
    **{name: {"stddev": 0.3, "mean": -0.1, "distribution": name} for name in DISTRIBUTIONS},
    "limit": {"limit": 0.3, "mean": 2.5},
    "interval": {"low": -0.75, "high": 0.5},
    "cut interval": {"low": -0.75, "high": 0.5, "mean": 0.4, "parent_stddev": 0.3},
    **{
        name: {"parent_stddev": 0.3, "lower": max(lower, -1e300), "upper": min(upper, 1e300), "mean": 0.5}
        for name, (lower, upper) in CUTS.items()
    },
    "scheme": {"scheme": "he_truncated_normal", "lower": -0.3, "upper": 5.0, "gain": 1.3},
}
LARGEST = 6.337957754291725
WORDS = np.linspace(0, 2**32 - 1, 2**16 + 1).round().astype(np.uint32)


def make(kind, shape, layout="OI", slices=None, **rest):
    """Return a shifted tensor of a row of KINDS."""
    given_kind = {"distribution": "truncated_normal", "cut": kind} if isinstance(kind, tuple) else {}
    return make_shifted(shape, layout, slices, **({"distribution": kind} | given_kind | rest))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_kernels_write_the_references_bits(kind, dtype):
    shape, slices = (90, 120), (slice(3, 90), slice(1, 101))
    scaling = {"factor": 0.3, "mean": -0.1, "low": -0.75, "high": 0.5}
    expected = reference.draw_shifted(
        KEY, list_positions(shape, "IO", slices), kind, dtype, (*scaling.values(),)
    )
    assert make(kind, shape, "IO", slices, dtype=dtype, **scaling).read() == expected.tobytes()


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_page_alone_gives_the_same_bytes(independent, fields, dtype):
    spec = {"shape": (20, 60), "layout": "OI", "dtype": dtype, **SEEDED, **fields}
    assert independent.draw(spec) == draw_spec(spec)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_without_a_mean_the_bytes_are_those_of_the_tensor(distribution, dtype):
    tensor = make_tensor(shape=(300, 217), layout="IO", distribution=distribution, dtype=dtype)
    ends = {"low": -tensor.bound, "high": tensor.bound}
    shifted = ShiftedTensor(
        tensor.key, tensor.shape, tensor.positions, distribution, dtype, tensor.factor, 0.0, **ends
    )
    assert shifted.read() == tensor.read()


@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_any_range_of_any_slice_is_that_of_the_whole(data):
    shape, kind = (70, 300, 3), data.draw(st.sampled_from([*KINDS.values()]))
    slices, dtype = data.draw(slices_of(shape)), data.draw(st.sampled_from([*DTYPES]))
    part = make(kind, shape, "IOH", slices, dtype=dtype, mean=0.5)
    start, count = data.draw(ranges(part))
    whole = view(make(kind, shape, "IOH", dtype=dtype, mean=0.5))[slices].ravel()
    assert read_range(part, start, count) == whole[start : start + count].tobytes()


def test_every_field_is_in_the_identity():
    cut = (0.25, 0.5, 0.25)
    fields = {
        "factor": 2.0,
        "mean": 0.5,
        "low": -3.0,
        "high": 3.0,
        "dtype": "float16",
        "distribution": "uniform",
    }
    others = [make_shifted((4, 4), **{name: value}) for name, value in fields.items()]
    others += [
        make_shifted((4, 4)),
        make_shifted((4, 4), "IO"),
        make("c", (4, 4), distribution="uniform", cut=cut),
    ]
    assert len({source.identity for source in others}) == len(others)


@pytest.mark.parametrize(("start", "size"), [(-1, 4), (16, 4), (0, 6), (0, 68)])
def test_a_range_outside_is_refused(start, size):
    with pytest.raises(ValueError, match="outside a tensor of 64 bytes"):
        make_shifted((4, 4)).fill(start, np.empty(size, np.uint8))


class TestCuts:
    @pytest.mark.parametrize("ends", CUTS.values(), ids=CUTS)
    def test_the_values_are_scipys_quantiles(self, ends):
        cut = compute_cut(*ends)
        inner = WORDS[1:-1]
        found = reference.transform_cut(inner, cut[:3])
        # The table ends at 2^-33 of the parent's mass: its largest value stands for all beyond.
        expected = np.clip(stats.truncnorm.ppf((inner + 0.5) / 2**32, *ends), -LARGEST, LARGEST)
        assert np.abs(found - expected).max() < 1e-9

    @pytest.mark.parametrize("ends", CUTS.values(), ids=CUTS)
    def test_a_larger_word_gives_no_smaller_value(self, ends):
        cut = compute_cut(*ends)[:3]
        assert (np.diff(reference.transform_cut(WORDS, cut)) >= 0).all()
        borders = find_border_words(cut)
        assert (np.diff(reference.transform_cut(borders, cut)) >= 0).all()

    @pytest.mark.parametrize("ends", CUTS.values(), ids=CUTS)
    def test_the_moments_are_the_cuts(self, ends):
        cut, count = compute_cut(*ends), 2**20
        words = ((np.arange(count, dtype=np.uint64) << np.uint64(12)) + np.uint64(2048)).astype(np.uint32)
        values = reference.transform_cut(words, cut[:3])
        # Midpoints of equal masses: what remains is the end of the tail, at most 1.2e-4 of the draws.
        assert values.mean() == pytest.approx(cut.mean, abs=3e-4 * cut.stddev)
        assert values.std() == pytest.approx(cut.stddev, rel=2e-3)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("ends", CUTS.values(), ids=CUTS)
    @pytest.mark.parametrize("mean", [0.0, 1 / 3])
    def test_no_value_is_outside(self, ends, dtype, mean):
        cut, factor = compute_cut(*ends), 0.02
        inside = round_interval(mean + factor * ends[0], mean + factor * ends[1], dtype)
        if inside is None:  # 5e-8 of a σ of 0.02, in 16 bits
            assert ends == CUTS["mass of 2^-20"]
            return
        extremes = np.array([0, 1, 2, 2**31 - 1, 2**31, 2**32 - 3, 2**32 - 2, 2**32 - 1], np.uint32)
        values = mean + factor * reference.transform_cut(extremes, cut[:3])
        held = reference.round_to(np.clip(values, *inside), dtype).view(DTYPES[dtype]).astype(np.float64)
        assert (held >= mean + factor * ends[0]).all()
        assert (held < mean + factor * ends[1]).all()


def find_border_words(cut):
    """Return, ascending, the words around every segment of the table."""
    lo, up, mass = cut
    x = np.array([2.0 ** (octave - 1) * (1 + f / 32) for octave in range(32) for f in range(32)])
    words = np.concatenate([(x - lo) / mass, 2.0**32 - (x - up) / mass])
    words = np.floor(words[(words > 20) & (words < 2**32 - 20)])
    return np.unique((words[:, None] + np.arange(-3, 4)).ravel()).astype(np.uint32)


@pytest.mark.slow
@pytest.mark.parametrize("ends", [(-2.0, 2.0), (0.0, INF), (2.5, 2.6)])
def test_no_value_of_long_runs_of_words_is_below_the_one_before(ends):
    cut, before = compute_cut(*ends)[:3], -INF
    for start in range(0, 2**32, 2**27):
        words = np.arange(start, start + 2**21, dtype=np.uint64).astype(np.uint32)
        values = reference.transform_cut(words, cut)
        assert before <= values[0]
        assert (np.diff(values) >= 0).all()
        before = values[-1]


def test_a_mean_moves_the_values_and_a_factor_scales_them():
    plain, moved = (
        view(make_shifted((64, 64), dtype="float64", **s)) for s in ({}, {"mean": 2.0, "factor": 0.5})
    )
    assert np.array_equal(moved, 2.0 + 0.5 * plain)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_held_at_both_ends(dtype):
    low, high = -0.5, 0.25
    values = view(make_shifted((64, 64), dtype=dtype, low=low, high=high)).astype(np.float64)
    assert (values.min(), values.max()) == (low, high)
    expected = stats.norm.cdf(low), stats.norm.sf(high)
    for found, share in zip(((values == low).mean(), (values == high).mean()), expected, strict=True):
        # The 1 - 1e-9 quantile of the error of a proportion of 4096 draws is below 6.2 of its σ.
        assert abs(found - share) < 6.2 * math.sqrt(share * (1 - share) / 4096)
