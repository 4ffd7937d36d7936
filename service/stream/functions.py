"""Functions: exp, expm1, log, sin and cos in binary64, the same on every machine.

NumPy and libm round them differently from one processor to another. These use only +, -, ×, ÷ and floor,
one at a time, as docs/stream.md section 12 states. They are within 4 units in the last place of the exact
functions.
"""

from math import factorial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# fdlibm's parts of ln 2 and π / 2: all but the last have trailing zeros, so that their multiples are exact.
LN2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
INVERSE_LN2, INVERSE_HALF_PI = 1.4426950408889634, 0.6366197723675814
ROOT_HALF = 0.7071067811865476
# Taylor's coefficients, from the lowest power on, each rounded once.
EXP = tuple(1 / factorial(n) for n in range(1, 14))
ATANH = tuple(1 / (2 * n + 1) for n in range(12))
SIN = tuple((-1) ** n / factorial(2 * n + 1) for n in range(9))
COS = tuple((-1) ** n / factorial(2 * n) for n in range(9))


def evaluate(coefficients: tuple[float, ...], x: Array) -> Array:
    """Return a polynomial by Horner's rule."""
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = coefficient + x * value
    return value


def expm1(x: Array) -> Array:
    """Return the exponential, minus 1, of numbers from -700 to 700."""
    k = np.floor(x * INVERSE_LN2 + 0.5)
    r = (x - k * LN2[0]) - k * LN2[1]
    part = r * evaluate(EXP, r)
    return np.where(k == 0, part, np.ldexp(1 + part, k.astype(np.int32)) - 1)


def exp(x: Array) -> Array:
    """Return the exponential of numbers from -700 to 700."""
    k = np.floor(x * INVERSE_LN2 + 0.5)
    r = (x - k * LN2[0]) - k * LN2[1]
    scaled: Array = np.ldexp(1 + r * evaluate(EXP, r), k.astype(np.int32))
    return scaled


def log(x: Array) -> Array:
    """Return the natural logarithm of positive normal numbers."""
    m, exponents = np.frexp(x)
    is_low = m < ROOT_HALF
    k = exponents - is_low.astype(np.float64)
    f = np.where(is_low, m + m, m) - 1
    s = f / (2 + f)
    result: Array = k * LN2[0] + (k * LN2[1] + 2 * (s * evaluate(ATANH, s * s)))
    return result


def sincos(x: Array) -> tuple[Array, Array]:
    """Return sine and cosine of numbers from 0 to 2^20."""
    k = np.floor(x * INVERSE_HALF_PI + 0.5)
    r = ((x - k * HALF_PI[0]) - k * HALF_PI[1]) - k * HALF_PI[2]
    square, quadrant = r * r, k.astype(np.int64) & 3
    sine, cosine = r * evaluate(SIN, square), evaluate(COS, square)
    is_odd = quadrant & 1 == 1
    first, second = np.where(is_odd, cosine, sine), np.where(is_odd, sine, cosine)
    is_second_half, is_between = quadrant & 2 == 2, (quadrant + 1) & 2 == 2
    return np.where(is_second_half, -first, first), np.where(is_between, -second, second)
