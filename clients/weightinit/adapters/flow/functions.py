"""Recognize an activation function by its values, however it is written.

A function is evaluated on GRID and compared with a table, up to a factor and an offset of its values: every
implementation of GELU is recognized as GELU, and x · sigmoid(x) as SiLU, in each framework.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# The steps are binary fractions, so 0, ±1, ±3 and 6, where functions of the table have kinks, are on the
# grid.
GRID: Values = np.linspace(-8.0, 8.0, 4097)
TOLERANCE = 1e-5

NEGATIVE = GRID < 0
_CENTER = len(GRID) // 2
# The density of the standard normal distribution.
DENSITY: Values = np.exp(-GRID * GRID / 2) / math.sqrt(2 * math.pi)

# Klambauer et al. 2017, section 2.
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _sigmoid(x: Values) -> Values:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Values) -> Values:
    return np.logaddexp(x, 0.0)


def _erf(x: Values) -> Values:
    return np.array([math.erf(value) for value in x])


# Hendrycks & Gimpel 2016 (GELU and its approximations), Misra 2019 (Mish), Howard et al. 2019 (hard SiLU). A
# hard sigmoid has the slope 1/6; in older releases of Keras 1/5.
FUNCTIONS: tuple[tuple[str, Callable[[Values], Values]], ...] = (
    ("relu", lambda x: np.maximum(x, 0)),
    ("relu6", lambda x: np.clip(x, 0, 6)),
    ("gelu", lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2),
    ("gelu_tanh", lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
    ("quick_gelu", lambda x: x * _sigmoid(1.702 * x)),
    ("silu", lambda x: x * _sigmoid(x)),
    ("hard_silu", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    ("mish", lambda x: x * np.tanh(_softplus(x))),
    ("hard_mish", lambda x: x * np.clip(x + 2, 0, 2) / 2),
    ("softplus", _softplus),
    ("squareplus", lambda x: (x + np.sqrt(x * x + 4)) / 2),
    ("sparse_plus", lambda x: np.where(x < 1, np.square(np.maximum(x + 1, 0)) / 4, x)),
    ("log_sigmoid", lambda x: -_softplus(-x)),
    ("tanh", np.tanh),
    ("sigmoid", _sigmoid),
    ("hard_sigmoid", lambda x: np.clip(x + 3, 0, 6)),
    ("hard_sigmoid", lambda x: np.clip(x + 2.5, 0, 5)),
    ("sparse_sigmoid", lambda x: np.clip(x + 1, 0, 2)),
    ("hard_tanh", lambda x: np.clip(x, -1, 1)),
    ("softsign", lambda x: x / (1 + np.abs(x))),
    ("exponential", np.exp),
    ("tanh_shrink", lambda x: x - np.tanh(x)),
)

# The linear half of a gated unit, by the activation of the other half (Dauphin et al. 2017, Shazeer 2020).
GATED = {
    "sigmoid": "glu",
    "hard_sigmoid": "glu",
    "relu": "reglu",
    "gelu": "geglu",
    "gelu_tanh": "geglu",
    "quick_gelu": "geglu",
    "silu": "swiglu",
    "hard_silu": "swiglu",
}


@dataclass(frozen=True, slots=True)
class Recognition:
    """The name of a function: "none" if it is linear, None if it is not in the table.

    `second_moment` is E[φ(z)²] and `derivative_moment` E[φ'(z)²] for a standard normal z. `slope` is that of
    a leaky ReLU below zero, rounded to six digits because frameworks evaluate it in different precisions.
    """

    name: str | None
    second_moment: float
    derivative_moment: float
    slope: float | None = None


def describe_function(name: str | None, slope: float | None) -> str | None:
    """Return the name of a function with its slope, if any, for messages and comparisons.

    >>> describe_function("leaky_relu", 0.2), describe_function("tanh", None)
    ('leaky_relu(0.2)', 'tanh')
    """
    return name if slope is None else f"{name}({slope:g})"


def recognize(values: NDArray[Any], scale: float = 1.0, shift: float = 0.0) -> Recognition:
    """Recognize a function by its values on GRID, as a function of x or of `scale` · x + `shift`.

    >>> recognize(GRID / (1 + np.exp(-GRID))).name, recognize(3 * GRID).name, recognize(np.sin(GRID)).name
    ('silu', 'none', None)
    """
    found = np.asarray(values, dtype=np.float64)
    if found.shape != GRID.shape or not np.isfinite(found).all():
        return Recognition(None, math.nan, math.nan)
    return _recognize(found.tobytes(), scale, shift)


@lru_cache(maxsize=256)
def _recognize(held: bytes, scale: float, shift: float) -> Recognition:
    """Recognize a function by the bytes of its values, cached because models repeat their activations."""
    found = np.frombuffer(held)
    name = _name(found, 1.0, 0.0)
    if name is None and scale and (scale, shift) != (1.0, 0.0):
        name = _name(found, scale, shift)
    slope = _measure_slope(found) if name == "leaky_relu" else None
    return Recognition(name, measure(found), measure(np.gradient(found, GRID)), slope)


def _measure_slope(values: Values) -> float:
    """Return the slope of a leaky ReLU below zero; the grid is symmetric."""
    low, center, high = values[[0, _CENTER, -1]]
    return float(f"{(center - low) / (high - center):.6g}")


def measure(values: Values) -> float:
    """Return E[f(z)²] for a standard normal z, given f on GRID.

    >>> round(measure(np.maximum(GRID, 0)), 6)
    0.5
    """
    return float(np.trapezoid(values * values * DENSITY, GRID))


def is_linear(values: Values) -> bool:
    """Return whether a function is a · x + b with a ≠ 0."""
    slope = (values[-1] - values[0]) / (GRID[-1] - GRID[0])
    return bool(slope) and _agree(values, values[_CENTER] + slope * GRID)


def _name(values: Values, scale: float, shift: float) -> str | None:
    """Return the name of a function: "none" if linear, else by the table, at first without an offset."""
    if is_linear(values):
        return "none"
    if np.ptp(values) <= TOLERANCE * float(np.abs(values).max()):
        return None
    for shifted in (values, values - values[_CENTER]):
        if found := _name_parametric(shifted):
            return found
    for offset in (False, True):
        for name, reference in _tabulate(scale, shift):
            if _agree(values, _fit(values, reference, offset=offset)):
                return name
    return None


@lru_cache(maxsize=64)  # each scale and shift seen in models
def _tabulate(scale: float, shift: float) -> list[tuple[str, Values]]:
    return [(name, function(scale * GRID + shift)) for name, function in FUNCTIONS]


def _fit(values: Values, reference: Values, *, offset: bool) -> Values:
    """Fit a factor, and an offset if `offset`, by least squares."""
    if offset:
        shifted = reference - reference.mean()
        factor = float(shifted @ (values - values.mean()) / (shifted @ shifted))
        return np.asarray(factor * shifted + values.mean())
    return float(reference @ values / (reference @ reference)) * reference


def _agree(values: Values, reference: Values) -> bool:
    return bool(np.abs(values - reference).max() <= TOLERANCE * np.abs(values - values[_CENTER]).max())


def _name_parametric(values: Values) -> str | None:
    """Name a function that has a parameter and becomes a straight line far above zero."""
    factor = float((values[-1] - values[-2]) / (GRID[-1] - GRID[-2]))
    if abs(factor) < TOLERANCE:
        return None
    scaled = values / factor
    name = next((name for name, reference in _propose(scaled) if _agree(scaled, reference)), None)
    is_selu = name == "elu" and math.isclose(factor, SELU_SCALE, rel_tol=1e-4)
    return "selu" if is_selu and _agree(scaled, _elu(SELU_ALPHA)) else name


def _propose(values: Values) -> Iterator[tuple[str, Values]]:
    """Yield functions of slope one far above zero, with parameters computed from a few of the values."""
    slope = float(values[0] / GRID[0])
    if 0 < slope < 1:
        yield "leaky_relu", np.where(NEGATIVE, slope * GRID, GRID)
    if values[0] < 0:
        yield "elu", _elu(float(values[0] / np.expm1(GRID[0])))
    dead = float(GRID[-1] - values[-1])
    if dead > 0:
        yield "soft_shrink", np.sign(GRID) * np.maximum(np.abs(GRID) - dead, 0)
    if np.array_equal(values[_CENTER : _CENTER + 2], [0, 0]):
        width = int(np.argmax(values[_CENTER:] > 0))
        yield "hard_shrink", np.where(np.abs(GRID) >= GRID[_CENTER + width], GRID, 0.0)


def _elu(alpha: float) -> Values:
    return np.where(NEGATIVE, alpha * np.expm1(np.minimum(GRID, 0)), GRID)
