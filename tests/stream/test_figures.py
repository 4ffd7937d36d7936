"""The figures of docs/stream.md, section 14."""

import math

import numpy as np
import pytest

from service.stream.rounding import round_below
from tests.stream.drawing import DTYPES, draw

COUNT = 2**22
LINE = {"shape": (COUNT,), "layout": "O", "fan_out": 1}
# E|Z| of a normal truncated at ±2, over its standard deviation: (φ(0) - φ(2)) / (Φ(2) - 1/2) / 0.8796….
TRUNCATED_MEAN = (
    (1 - math.exp(-2)) / math.sqrt(2 * math.pi) / (math.erf(math.sqrt(2)) / 2) / 0.87962566103423978
)


@pytest.mark.parametrize(
    ("first", "second", "correlation"),
    [
        ("uniform", "normal", -math.sqrt(3 / (2 * math.pi))),
        ("uniform", "truncated_normal", -math.sqrt(3) / 2 * TRUNCATED_MEAN),
        ("normal", "truncated_normal", 0.9957),
    ],
)
def test_distributions_of_one_name_are_correlated(first, second, correlation):
    drawn = [draw(**LINE, fan_in=1, dtype="float64", distribution=name) for name in (first, second)]
    assert np.corrcoef(drawn)[0, 1] == pytest.approx(correlation, abs=5 / math.sqrt(COUNT))


@pytest.mark.parametrize(
    ("dtype", "least", "most"), [("bfloat16", 0.0019, 0.0116), ("float16", 0.0002, 0.0015)]
)
def test_coarse_uniform_values_lie_on_their_bound(dtype, least, most):
    """The share of |T| that rounds or is clipped to the bound, for limits over an octave."""
    kind, shares = DTYPES[dtype].type, []
    for limit in np.linspace(1, 2, 20001)[1:].tolist():
        bound = round_below(limit, dtype)
        below = float(np.nextafter(kind(bound), kind(0)))
        shares.append(1 - (bound + below) / 2 / limit)
    assert least < min(shares) < max(shares) < most


def test_bfloat16_of_he_and_300_inputs_lie_on_their_bound_in_0_9_percent():
    drawn = np.abs(draw(**LINE, fan_in=300, dtype="bfloat16", distribution="uniform").astype(np.float64))
    assert (drawn == round_below(math.sqrt(6 / 300), "bfloat16")).mean() == pytest.approx(0.0091, abs=2e-4)
