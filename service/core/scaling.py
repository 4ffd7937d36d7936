"""Scaling: from a scale and a fan to a variance, and from there to a standard deviation and a limit."""

import math
from typing import NamedTuple, Self

from service.core.schemes import Mode


class Spread(NamedTuple):
    """How far weights spread around zero: variance = stddev², limit = √(3 · variance)."""

    variance: float
    stddev: float
    limit: float

    @classmethod
    def of(cls, scale: float, fan: float) -> Self:
        """Spread weights so that variance = scale / fan (He et al. 2015, equation 10).

        >>> Spread.of(3.0, 300)
        Spread(variance=0.01, stddev=0.1, limit=0.17320508075688773)
        """
        variance = scale / fan
        return cls(variance, math.sqrt(variance), math.sqrt(3 * variance))


def compute_leaky_scale(negative_slope: float) -> float:
    """Compute He's scale for a rectifier of slope a below zero: 2 / (1 + a²) (He et al. 2015, equation 15).

    >>> compute_leaky_scale(0.0), compute_leaky_scale(1.0)
    (2.0, 1.0)
    """
    return 2 / (1 + negative_slope * negative_slope)


def format_formula(scale: float, mode: Mode, fan: float, negative_slope: float | None = None) -> str:
    """Write out how the variance came about.

    >>> format_formula(2.0, "fan_in", 784)
    'σ² = 2 / fan_in = 2 / 784'
    >>> format_formula(1.6, "fan_in", 784, negative_slope=0.5)
    'σ² = (2 / (1 + 0.5²)) / fan_in = 1.6 / 784'
    """
    number = format_number(scale)
    symbol = number if negative_slope is None else _format_leaky_scale(negative_slope)
    return f"σ² = {symbol} / {mode} = {number} / {format_number(fan)}"


def format_number(value: float) -> str:
    """Write a number in the fewest digits that read back as the same number.

    >>> format_number(2.0), format_number(0.1), format_number(1e300)
    ('2', '0.1', '1e+300')
    """
    return repr(value).removesuffix(".0")


def _format_leaky_scale(negative_slope: float) -> str:
    slope = format_number(negative_slope)
    return f"(2 / (1 + {f'({slope})' if negative_slope < 0 else slope}²))"
