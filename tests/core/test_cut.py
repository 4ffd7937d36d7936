"""Cuts and rounded intervals: compared with mpmath and with ml_dtypes' own neighbours."""

import math

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.core import DTYPES, TRUNCATED_UNIT_STDDEV
from service.core.cut import compute_cut, round_interval

INF = math.inf
ENDS = st.floats(-6, 6) | st.sampled_from([-INF, INF, -5.0, 5.0, 0.0, -2.0, 2.0])
KINDS = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16, "float32": np.float32, "float64": np.float64}


def compute_by_mpmath(lower, upper):
    """Return lo, up, mass, mean and stddev with 120 digits, each rounded once. None for less than 2^-20."""
    with mpmath.workdps(120):
        a, b = mpmath.mpf(lower), mpmath.mpf(upper)
        below, above = (mpmath.ncdf(x) if mpmath.isfinite(x) else mpmath.mpf(x > 0) for x in (a, -b))
        mass = 1 - below - above
        if mass < mpmath.mpf(2) ** -20:
            return None
        densities = [mpmath.npdf(x) for x in (a, b)]
        mean = (densities[0] - densities[1]) / mass
        first, last = (x * d if d else d for x, d in zip((a, b), densities, strict=True))
        stddev = mpmath.sqrt(1 + (first - last) / mass - mean**2)
        return [float(x) for x in (below * 2**32, above * 2**32, mass, mean, stddev)]


@given(lower=ENDS, upper=ENDS)
@settings(deadline=None, max_examples=300)
def test_every_number_of_a_cut_is_mpmaths_rounded_once(lower, upper):
    assume(lower < upper)
    expected = compute_by_mpmath(lower, upper)
    assume(expected)
    assert list(compute_cut(lower, upper)) == expected


def test_a_cut_at_two_sigma_has_the_standard_deviation_of_truncated_normal():
    assert compute_cut(-2.0, 2.0).stddev == TRUNCATED_UNIT_STDDEV


def test_a_cut_at_three_sigma_has_the_published_standard_deviation():
    # That of scipy.stats.truncnorm, for 3 as for -3.
    assert compute_cut(-3.0, 3.0).stddev == pytest.approx(0.98657839, abs=5e-9)


def test_no_cut_is_the_whole_normal():
    assert compute_cut(-INF, INF) == (0.0, 0.0, 1.0, 0.0, 1.0)
    assert compute_cut(-1e200, 1e300) == (0.0, 0.0, 1.0, 0.0, 1.0)


def test_a_half_normal_has_its_closed_form():
    half = compute_cut(0.0, INF)
    assert half[:3] == (2.0**31, 0.0, 0.5)
    assert half.mean == pytest.approx(math.sqrt(2 / math.pi), rel=2**-52)
    assert half.stddev == pytest.approx(math.sqrt(1 - 2 / math.pi), rel=2**-52)


@pytest.mark.parametrize(("lower", "upper"), [(1.0, 1.0), (2.0, -2.0), (math.nan, 1.0)])
def test_a_cut_without_an_interval_is_refused(lower, upper):
    with pytest.raises(ValueError, match="lower must be less than upper"):
        compute_cut(lower, upper)


@pytest.mark.parametrize(("lower", "upper"), [(4.8, INF), (0.0, 1e-150), (1e100, 2e100), (-INF, -30.0)])
def test_a_cut_with_hardly_any_mass_is_refused(lower, upper):
    with pytest.raises(ValueError, match="less than 2⁻²⁰"):
        compute_cut(lower, upper)


@pytest.mark.parametrize("dtype", KINDS)
@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_an_interval_ends_at_the_outermost_values_inside(dtype, data):
    kind, most = KINDS[dtype], DTYPES[dtype].max
    own = st.floats(-most, most).map(lambda x: float(kind(x)))
    tiny = st.integers(-9, 9).map(lambda n: n * DTYPES[dtype].smallest_subnormal)
    ends = own | tiny | st.floats(-most, most) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0**-14])
    low, high, above_low = data.draw(ends), data.draw(ends), data.draw(st.booleans())
    found = round_interval(low, high, dtype, above_low=above_low)
    with np.errstate(over="ignore", under="ignore"):
        first, last = find_neighbours(kind, low, high, above_low=above_low)
    if found is None:
        assert first > last
    else:
        assert found == (first, last)


def find_neighbours(kind, low, high, *, above_low):
    """Return the first value of a NumPy type from low on, and the last before high."""
    infinity = kind(INF)
    first, last = kind(low), kind(high)
    while float(first) >= low:
        first = np.nextafter(first, -infinity)
    while float(first) < low or (above_low and float(first) == low):
        first = np.nextafter(first, infinity)
    while float(last) < high:
        last = np.nextafter(last, infinity)
    while float(last) >= high:
        last = np.nextafter(last, -infinity)
    return float(first), float(last)


@pytest.mark.parametrize("dtype", KINDS)
def test_an_open_end_is_the_largest_finite_value(dtype):
    assert round_interval(-INF, INF, dtype) == (-DTYPES[dtype].max, DTYPES[dtype].max)
    assert round_interval(-INF, INF, dtype, above_low=True) == (-DTYPES[dtype].max, DTYPES[dtype].max)


@pytest.mark.parametrize(("low", "high"), [(70000.0, INF), (-INF, -70000.0), (1.0001, 1.0002), (1.0, 1.0)])
def test_an_interval_may_have_no_value(low, high):
    assert round_interval(low, high, "float16") is None


def test_zero_has_no_sign_at_the_end_of_an_interval():
    _, last = round_interval(-1.0, DTYPES["float16"].smallest_subnormal, "float16")
    assert math.copysign(1, last) == 1
