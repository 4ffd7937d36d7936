"""Moments of activations against mpmath's quadrature, and against NumPy's functions."""

import mpmath
import numpy as np
import pytest

from service.core.activations import ACTIVATIONS
from service.core.signal.functions import FUNCTIONS, GATES, SCALE_FREE
from service.core.signal.moments import MOMENTS, PARAMETRIC, find_moments
from service.core.signal.propagation import measure

mp = mpmath.mp


def integrate(function, *corners):
    """Return E[f(z)²] for z of N(0, 1), with 25 digits; `corners` are where f is not smooth."""
    with mpmath.workdps(25):
        density = lambda z: mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)  # noqa: E731
        points = sorted({-mp.inf, *map(mp.mpf, (-9, -4, -2, 0, 2, 4, 9)), *map(mp.mpf, corners), mp.inf})
        return float(mp.quad(lambda z: function(z) ** 2 * density(z), points))


PARAMETERS = [
    ("leaky_relu", (0.2,), lambda z: z if z > 0 else z * mp.mpf(0.2), ()),
    ("elu", (0.7,), lambda z: z if z > 0 else mp.mpf(0.7) * mp.expm1(z), ()),
    ("celu", (0.3,), lambda z: z if z > 0 else mp.mpf(0.3) * mp.expm1(z / mp.mpf(0.3)), ()),
    ("celu", (4.0,), lambda z: z if z > 0 else 4 * mp.expm1(z / 4), ()),
    ("threshold", (0.3, 0.2), lambda z: z if z > mp.mpf(0.3) else mp.mpf(0.2), (0.3,)),
    ("threshold", (-1.0,), lambda z: z if z > -1 else 0, (-1,)),
    ("hard_shrink", (1.5,), lambda z: z if abs(z) > 1.5 else 0, (-1.5, 1.5)),
    ("soft_shrink", (0.1,), lambda z: mp.sign(z) * max(abs(z) - mp.mpf(0.1), 0), (-0.1, 0.1)),
]


@pytest.mark.parametrize(("name", "parameter", "function", "corners"), PARAMETERS)
def test_the_second_moment_with_a_parameter_is_that_of_mpmath(name, parameter, function, corners):
    assert find_moments(name, parameter).signal == pytest.approx(integrate(function, *corners), rel=1e-15)


def test_a_random_slope_has_the_mean_of_its_squares():
    slopes = np.linspace(0.1, 0.5, 100001)
    expected = (1 + np.mean(slopes**2)) / 2
    assert find_moments("rrelu", (0.1, 0.5)).signal == pytest.approx(expected, rel=1e-5)


MPMATH = {
    "tanh": mp.tanh,
    "gelu": lambda z: z * mp.ncdf(z),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log1p(mp.exp(z)),
    "mish": lambda z: z * mp.tanh(mp.log1p(mp.exp(z))),
    "sin": mp.sin,
    "relu_squared": lambda z: max(z, 0) ** 2,
    "laplace": lambda z: mp.ncdf((z - mp.mpf("0.707107")) / mp.mpf("0.282095")),
}


@pytest.mark.parametrize("name", MPMATH)
def test_the_second_moment_is_that_of_mpmath(name):
    assert find_moments(name).signal == pytest.approx(integrate(MPMATH[name]), rel=1e-14)


@pytest.mark.parametrize("name", [*FUNCTIONS, *GATES])
def test_both_moments_are_those_of_the_function(name):
    """A corner of the function costs the quadrature 0.1 %."""
    assert measure(name, 1.0) == pytest.approx(find_moments(name), rel=1.5e-3)


def test_only_activations_over_all_units_have_no_moments():
    missing = {name for name in ACTIVATIONS if find_moments(name) is None}
    assert missing == {"softmax", "softmax2d", "softmin", "log_softmax", "gumbel_softmax", "sparsemax"}


def test_every_activation_with_moments_has_a_function_or_needs_none():
    known = {*FUNCTIONS, *GATES, *SCALE_FREE}
    assert {*MOMENTS, *PARAMETRIC} - known == {"exponential", "threshold", "hard_shrink"}
