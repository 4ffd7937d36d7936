import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import DTYPES, TRUNCATED_UNIT_STDDEV, LayerSpec, SpecError, resolve_parameters
from service.core.schemes import DISTRIBUTIONS


def decide_scaled(scale, **fields):
    """Fans of 1, so that the variance is the scale itself."""
    return resolve_parameters(LayerSpec(shape=(1, 1), scheme="variance_scaling", scale=scale, **fields))


@pytest.mark.parametrize(
    ("fields", "formula"),
    [
        ({"activation": "relu"}, "σ² = 2 / fan_in = 2 / 784"),
        ({}, "σ² = 1 / fan_avg = 1 / 542"),
        ({"scheme": "he", "mode": "fan_avg"}, "σ² = 2 / fan_avg = 2 / 542"),
        ({"scheme": "variance_scaling", "scale": 0.02}, "σ² = 0.02 / fan_in = 0.02 / 784"),
        ({"activation": "leaky_relu", "negative_slope": 0.5}, "σ² = (2 / (1 + 0.5²)) / fan_in = 1.6 / 784"),
        ({"activation": "prelu", "negative_slope": -1.0}, "σ² = (2 / (1 + (-1)²)) / fan_in = 1 / 784"),
    ],
)
def test_the_formula_shows_how_the_variance_came_about(fields, formula):
    assert resolve_parameters(LayerSpec(shape=(784, 300), **fields)).formula == formula


def test_parameters_cannot_be_changed():
    decided = resolve_parameters(LayerSpec(shape=(784, 300)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        decided.scale = 3.0


@given(st.floats(1e-30, 1e30), st.integers(1, 10**9), st.integers(1, 10**9))
def test_stddev_and_limit_follow_from_the_variance(scale, fan_in, fan_out):
    decided = resolve_parameters(
        LayerSpec(shape=(1,), fan_in=fan_in, fan_out=fan_out, scheme="variance_scaling", scale=scale)
    )
    assert decided.stddev**2 == pytest.approx(scale / fan_in, rel=1e-14)
    assert decided.limit == pytest.approx(math.sqrt(3) * decided.stddev, rel=1e-14)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_dtype_facts_equal_numpy(name):
    import numpy as np

    facts, dtype = np.finfo(name), DTYPES[name]
    assert (dtype.itemsize, dtype.max, dtype.smallest_subnormal) == (
        np.dtype(name).itemsize,
        float(facts.max),
        float(facts.smallest_subnormal),
    )


def test_bfloat16_facts_equal_ml_dtypes():
    import ml_dtypes

    facts, dtype = ml_dtypes.finfo("bfloat16"), DTYPES["bfloat16"]
    assert (dtype.itemsize, dtype.max, dtype.smallest_subnormal) == (
        2,
        float(facts.max),
        float(facts.smallest_subnormal),
    )


def test_the_truncated_unit_stddev_follows_from_its_definition():
    """Johnson, Kotz & Balakrishnan, Continuous univariate distributions 1, section 10.1."""
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    mass = math.erf(2 / math.sqrt(2))
    assert pytest.approx(math.sqrt(1 - 4 * density / mass), rel=1e-14) == TRUNCATED_UNIT_STDDEV


def test_the_peak_of_normal_is_beyond_the_last_of_the_32_bit_draws():
    from statistics import NormalDist

    assert -NormalDist().inv_cdf(2**-33) < DISTRIBUTIONS["normal"].peak


@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_spread_is_refused_just_where_a_weight_could_overflow(distribution, dtype):
    largest = DTYPES[dtype].max / DISTRIBUTIONS[distribution].peak
    assert decide_scaled((0.999 * largest) ** 2, dtype=dtype, distribution=distribution).dtype == dtype
    with pytest.raises(SpecError, match="scale makes weights larger than"):
        decide_scaled((1.001 * largest) ** 2, dtype=dtype, distribution=distribution)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_spread_is_refused_just_where_sigma_would_vanish(dtype):
    smallest = DTYPES[dtype].smallest_subnormal
    assert decide_scaled((1.001 * smallest) ** 2, dtype=dtype).dtype == dtype
    with pytest.raises(SpecError, match="scale makes σ smaller than"):
        decide_scaled((0.999 * smallest) ** 2, dtype=dtype)


def test_a_limit_beyond_every_float_is_refused():
    with pytest.raises(SpecError, match="scale makes weights larger than"):
        decide_scaled(1.5e308, dtype="float64", distribution="normal")


def test_a_variance_below_every_float_is_refused():
    with pytest.raises(SpecError, match="negative_slope makes σ smaller than"):
        resolve_parameters(
            LayerSpec(shape=(1, 1), activation="leaky_relu", negative_slope=1e200, dtype="float64")
        )


def test_given_fans_too_large_for_the_dtype_blame_the_dtype():
    with pytest.raises(SpecError, match="dtype makes σ smaller than"):
        resolve_parameters(LayerSpec(shape=(1, 1), fan_in=2**62, fan_out=2**62, dtype="float16"))
