"""Rounding: round numbers to a dtype, and find the largest value of a dtype below a number."""

import math

import numpy as np
from numpy.typing import NDArray

from service.core import DTYPES, DtypeName


def round_below(value: float, dtype: DtypeName) -> float:
    """Return the largest value of a dtype strictly below a positive number within its range.

    >>> round_below(1.0, "bfloat16"), round_below(1.001, "bfloat16"), round_below(1.0, "float32")
    (0.99609375, 1.0, 0.9999999403953552)
    """
    row = DTYPES[dtype]
    exponent = math.frexp(math.nextafter(value, 0.0))[1] - 1
    step = max(2.0 ** (exponent - row.fraction_bits), row.smallest_subnormal)
    return (math.ceil(value / step) - 1) * step


def round_to(values: NDArray[np.float64], dtype: str) -> NDArray[np.generic]:
    """Round values to a dtype, ties to even. 16-bit dtypes are rounded to float32 first.

    Returns bfloat16 as its bits, in uint16.
    """
    if dtype == "float64":
        return values
    singles = values.astype(np.float32)
    if dtype == "float32":
        return singles
    if dtype == "float16":
        return singles.astype(np.float16)
    bits = singles.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(
        np.uint16
    )
