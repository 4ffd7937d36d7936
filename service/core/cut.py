"""Cuts: a normal distribution truncated at any two points, and intervals rounded to the values of a dtype.

The numbers of a cut are computed with 80 decimal digits and rounded once, so they do not depend on the
platform's mathematical library. `decimal` rounds exp and sqrt correctly, and is in the standard library.
"""

import decimal
import math
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from service.core.dtypes import DTYPES, DtypeName

CONTEXT = decimal.Context(prec=80, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)
SQRT_TWO_PI = Decimal(
    "2.5066282746310005024157652848110452530069867406099383166299235763422936546078419749465958383780572661"
)
#: The tail beyond 5 is a continued fraction, whose 400 terms have more than 80 digits. Before, it is 1/2
#: minus a series, which loses 7 of them.
FRACTION_FROM, FRACTION_TERMS = 5, 400
#: The smallest mass inside: with less, too few of the 2³² words would differ in float32.
MIN_CUT_MASS = 2.0**-20


class Cut(NamedTuple):
    """A unit normal truncated to [lower, upper].

    `lo` and `up` are the masses outside, below and above, in units of 2⁻³². `mass` is the mass inside. `mean`
    and `stddev` are those of the truncated distribution. Each is the exact number, rounded once to binary64.
    """

    lo: float
    up: float
    mass: float
    mean: float
    stddev: float


@lru_cache(1024)
def compute_cut(lower: float, upper: float) -> Cut:
    """Return the numbers of a unit normal truncated to [lower, upper], either of which may be infinite.

    The moments are those of Johnson, Kotz & Balakrishnan (1994), section 13.10.1. Raises ValueError unless
    lower is less than upper, with a mass of at least MIN_CUT_MASS between them.

    >>> compute_cut(-2.0, 2.0).stddev, compute_cut(0.0, math.inf).mass
    (0.8796256610342398, 0.5)
    """
    if not lower < upper:
        raise ValueError(f"lower must be less than upper, got {lower} and {upper}")
    with decimal.localcontext(CONTEXT):
        ends = Decimal(lower), Decimal(upper)
        mass = compute_tail(ends[0]) - compute_tail(ends[1])
        if mass < MIN_CUT_MASS:
            raise ValueError(f"[{lower}, {upper}] has a mass of {mass:.3g}, less than 2⁻²⁰")
        densities = [compute_density(end) for end in ends]
        mean = (densities[0] - densities[1]) / mass
        first, last = (end * at if at else at for end, at in zip(ends, densities, strict=True))
        variance = 1 + (first - last) / mass - mean * mean
        below, above = compute_tail(-ends[0]), compute_tail(ends[1])
        return Cut(*map(float, (below * 2**32, above * 2**32, mass, mean, variance.sqrt())))


def compute_density(x: Decimal) -> Decimal:
    """Return φ(x), the density of a unit normal. 0 at infinity."""
    return (-x * x / 2).exp() / SQRT_TWO_PI


def compute_tail(x: Decimal) -> Decimal:
    """Return P(Z > x) of a unit normal Z (Abramowitz & Stegun 1964, 26.2.11 and 26.2.14)."""
    if x < 0:
        return 1 - compute_tail(-x)
    density = compute_density(x)
    if x < FRACTION_FROM:
        term, total, odd = x, Decimal(0), 1
        while total + term != total:
            total += term
            odd += 2
            term *= x * x / odd
        return Decimal("0.5") - density * total
    if not density:
        return density
    denominator = x
    for k in range(FRACTION_TERMS, 0, -1):
        denominator = x + k / denominator
    return density / denominator


def round_interval(
    low: float, high: float, dtype: DtypeName, *, above_low: bool = False
) -> tuple[float, float] | None:
    """Return the smallest value of a dtype at or above low, and the largest below high. None without any.

    With `above_low` the first is above low too. Either end may be infinite; the values are finite.

    >>> round_interval(-1.0, 1.0, "bfloat16"), round_interval(-1.0, 1.0, "bfloat16", above_low=True)
    ((-1.0, 0.99609375), (-0.99609375, 0.99609375))
    >>> round_interval(0.1, math.inf, "float16"), round_interval(1.0001, 1.0002, "float16")
    ((0.10003662109375, 65504.0), None)
    """
    first = _round_above(low if above_low else math.nextafter(low, -math.inf), dtype)
    last = 0.0 - _round_above(-high, dtype)
    return (first, last) if first <= last else None


def _round_above(value: float, dtype: DtypeName) -> float:
    """Return the smallest finite value of a dtype above a number, or infinity."""
    row = DTYPES[dtype]
    if value >= row.max or value < -row.max:
        return math.inf if value > 0 else -row.max
    exponent = math.frexp(math.nextafter(value, math.inf))[1] - 1
    step = max(math.ldexp(1.0, exponent - row.fraction_bits), row.smallest_subnormal)
    return (math.floor(value / step) + 1) * step
