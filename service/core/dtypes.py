"""Dtypes: the floating-point formats that weights are served in, a row each."""

from dataclasses import dataclass
from typing import Literal

DtypeName = Literal["float32", "float64", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Dtype:
    """A binary floating-point format, and its names in the file formats.

    `itemsize` is in bytes, `max` the largest finite value, `smallest_subnormal` the smallest positive one.
    `npy` is the descr of a .npy header, `code` the number by which the kernels know the dtype.
    """

    name: DtypeName
    itemsize: int
    exponent_bits: int
    fraction_bits: int
    max: float
    smallest_subnormal: float
    npy: str
    safetensors: str
    code: int


def _make_dtype(
    name: DtypeName, exponent_bits: int, fraction_bits: int, *, npy: str, safetensors: str, code: int
) -> Dtype:
    """Make a row, deriving size and range from the field widths (IEEE 754-2019, section 3.4, table 3.5)."""
    bias = (1 << (exponent_bits - 1)) - 1
    return Dtype(
        name,
        itemsize=(1 + exponent_bits + fraction_bits) // 8,
        exponent_bits=exponent_bits,
        fraction_bits=fraction_bits,
        max=(2.0 - 2.0**-fraction_bits) * 2.0**bias,
        smallest_subnormal=2.0 ** (1 - bias - fraction_bits),
        npy=npy,
        safetensors=safetensors,
        code=code,
    )


DTYPES: dict[DtypeName, Dtype] = {
    row.name: row
    for row in (
        _make_dtype("float32", 8, 23, npy="<f4", safetensors="F32", code=1),
        _make_dtype("float64", 11, 52, npy="<f8", safetensors="F64", code=0),
        _make_dtype("float16", 5, 10, npy="<f2", safetensors="F16", code=2),
        # NumPy has no bfloat16: numpy.save writes the one of ml_dtypes as two bytes of void.
        _make_dtype("bfloat16", 8, 7, npy="<V2", safetensors="BF16", code=3),
    )
}
