"""Rounding: real numbers in a dtype, and the largest value below one."""

import math

import numpy as np
from numpy.typing import NDArray

from service.core import DTYPES, DtypeName

#: Bits after the leading one (IEEE 754-2019, table 3.5; bfloat16 is float32's upper half).
FRACTION_BITS: dict[DtypeName, int] = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}


def round_below(value: float, dtype: DtypeName) -> float:
    """Return the largest value of a dtype strictly below a positive number of its range.

    >>> round_below(1.0, "bfloat16"), round_below(1.001, "bfloat16"), round_below(1.0, "float32")
    (0.99609375, 1.0, 0.9999999403953552)
    """
    exponent = math.frexp(math.nextafter(value, 0.0))[1] - 1
    step = max(2.0 ** (exponent - FRACTION_BITS[dtype]), DTYPES[dtype].smallest_subnormal)
    return (math.ceil(value / step) - 1) * step


def round_to(values: NDArray[np.float64], dtype: str) -> NDArray[np.generic]:
    """Return values in a dtype: float32 from float64, the 16-bit dtypes from that float32; ties to even.

    bfloat16 comes as its bits, u16.
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
