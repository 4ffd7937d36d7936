"""Dtypes: the floating-point formats that weights are served in."""

from dataclasses import dataclass
from typing import Literal

DtypeName = Literal["float32", "float64", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Dtype:
    """A binary floating-point format: its size in bytes, largest finite and smallest positive value."""

    name: DtypeName
    itemsize: int
    max: float
    smallest_subnormal: float


def _describe_format(name: DtypeName, exponent_bits: int, fraction_bits: int) -> Dtype:
    """Derive a format's facts from its field widths (IEEE 754-2019, section 3.4, table 3.5)."""
    bias = (1 << (exponent_bits - 1)) - 1
    largest = (2.0 - 2.0**-fraction_bits) * 2.0**bias
    smallest = 2.0 ** (1 - bias - fraction_bits)
    return Dtype(name, (1 + exponent_bits + fraction_bits) // 8, largest, smallest)


DTYPES: dict[DtypeName, Dtype] = {
    row.name: row
    for row in (
        _describe_format("float32", exponent_bits=8, fraction_bits=23),
        _describe_format("float64", exponent_bits=11, fraction_bits=52),
        _describe_format("float16", exponent_bits=5, fraction_bits=10),
        _describe_format("bfloat16", exponent_bits=8, fraction_bits=7),
    )
}
