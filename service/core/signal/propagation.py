"""Propagation: what becomes of the variance of signals and gradients, through a layer and through many.

The mean field of a deep network of equal layers (Poole et al. 2016, arXiv:1606.05340, equation 3; Schoenholz
et al. 2017, arXiv:1611.01232, equations 5 and 9), without biases: q ← C · E[φ(√q · z)²], where C is
fan_in · σ², and z is N(0, 1).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from service.core.signal.functions import FUNCTIONS, GATES, PIECEWISE, SCALE_FREE, Array, Function
from service.core.signal.moments import find_moments


def make_nodes(count: int) -> tuple[Array, Array]:
    """Return nodes of the midpoint rule for the expectation over N(0, 1), and their weights."""
    nodes = (np.arange(count, dtype=np.float64) + 0.5) * (20 / count) - 10
    density = np.exp(-(nodes**2) / 2)
    weights: Array = density / density.sum()
    return nodes, weights


#: For smooth functions the rule converges exponentially; a jump of the slope costs the width of a node.
SMOOTH, KINKED = make_nodes(2000), make_nodes(8000)
#: ln q of the tabulated variances.
GRID = np.linspace(math.log(1e-6), math.log(1e6), 241)
STEP = 1e-5  # of the difference quotient for the slope
STAYS = 1e-4  # relative growth in a layer below which a variance stays as it is


@dataclass(frozen=True, slots=True)
class Propagation:
    """What a layer does to variances.

    `forward` is the variance of the activation's output over that of an input of variance 1, `backward` the
    same for gradients: fan_in · σ² · E[φ²] and fan_out · σ² · E[φ'²], to four digits. The others, to three,
    are those of a deep chain of equal layers. `fixed_point` is the variance q* that it tends to: 0 if signals
    vanish, null if they explode or keep any variance. `chi` is the factor of a small difference, and of a
    gradient, in each layer at q*. `depth_scale` is 1 / |ln χ|, the number of layers in which these change by
    e, null if χ is 1 or unknown.
    """

    forward: float
    backward: float
    fixed_point: float | None
    chi: float | None
    depth_scale: float | None


class Chain(NamedTuple):
    """The limit of a deep chain of layers."""

    fixed_point: float | None
    chi: float | None


def compute_propagation(
    activation: str,
    parameter: tuple[float, ...] | None,
    forward_fan: float,
    backward_fan: float,
    variance: float,
) -> Propagation | None:
    """Compute the propagation through a layer. None if the activation has no moments.

    >>> compute_propagation("gelu", None, 512, 512, 2 / 512).forward
    0.8504
    """
    moments = find_moments(activation, parameter)
    if moments is None:
        return None
    gain = forward_fan * variance
    chain = follow_chain(activation, parameter, float(f"{gain:.9g}"))
    chi = chain.chi
    depth = None if chi is None or abs(chi - 1) < 1e-4 or chi == 0 else 1 / abs(math.log(chi))
    return Propagation(
        round_digits(gain * moments.signal),
        round_digits(backward_fan * variance * moments.gradient),
        *(None if value is None else round_digits(value, 3) for value in (chain.fixed_point, chi, depth)),
    )


def round_digits(value: float, digits: int = 4) -> float:
    """Round to a number of significant digits.

    >>> round_digits(0.85044296)
    0.8504
    """
    return float(f"{value:.{digits}g}")


@lru_cache(4096)
def follow_chain(activation: str, parameter: tuple[float, ...] | None, gain: float) -> Chain:
    """Follow a signal of variance 1 through a deep chain to its fixed point."""
    moments = find_moments(activation, parameter)
    if moments and activation in SCALE_FREE:
        # Every variance is multiplied by the same factor.
        return Chain(0.0 if gain * moments.signal < 1 - 1e-9 else None, gain * moments.gradient)
    if parameter is not None or (activation not in FUNCTIONS and activation not in GATES):
        return Chain(None, None)
    if not gain:
        return Chain(0.0, 0.0)
    signal, gradient = tabulate(activation)
    return find_limit(math.log(gain) + signal - GRID, gain, gradient)


def find_limit(growth: Array, gain: float, gradient: Array) -> Chain:
    """Find where a variance of 1 tends to, given the logarithm of its growth at each point of GRID."""
    middle = len(GRID) // 2
    if abs(growth[middle]) < STAYS:  # 1 is a fixed point itself, even if others near it do not tend to it
        return Chain(1.0, gain * math.exp(float(gradient[middle])))
    rising = growth[middle] > 0
    path = range(middle, len(GRID)) if rising else range(middle, -1, -1)
    after = next((k for k in path if (growth[k] > 0) != rising), None)
    if after is None:
        return Chain(None, None) if rising else Chain(0.0, _drop_smallest(gain * float(np.exp(gradient[0]))))
    before = after - 1 if rising else after + 1
    share = growth[before] / (growth[before] - growth[after])
    point = GRID[before] + share * (GRID[after] - GRID[before])
    chi = gain * math.exp(float(np.interp(point, GRID, gradient)))
    return Chain(math.exp(point), chi)


@lru_cache(64)
def tabulate(activation: str) -> tuple[Array, Array]:
    """Return ln E[φ(√q · z)²] and ln E[φ'(√q · z)²] at each point of GRID."""
    rows = [measure(activation, math.exp(point)) for point in GRID]
    signal, gradient = np.log(np.maximum(np.array(rows), 1e-300)).T
    return signal, gradient


def measure(activation: str, q: float) -> tuple[float, float]:
    """Return E[φ(√q · z)²] and E[φ'(√q · z)²]."""
    root = math.sqrt(q)
    if gate := GATES.get(activation):
        signal, gradient = _measure_function(gate, root)
        return q * signal, (signal + q * gradient) / 2
    return _measure_function(FUNCTIONS[activation], root)


def _measure_function(function: Function, root: float) -> tuple[float, float]:
    nodes, weights = KINKED if function in PIECEWISE else SMOOTH
    x = root * nodes
    slopes = (function(x + STEP) - function(x - STEP)) / (2 * STEP)
    return float(weights @ function(x) ** 2), float(weights @ slopes**2)


def _drop_smallest(chi: float) -> float:
    """Return 0 for a factor that only the end of GRID keeps from 0."""
    return chi if chi > 1e-5 else 0.0
