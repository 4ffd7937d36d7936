"""Neighbours in a dtype: the largest value below a real number."""

import math

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
