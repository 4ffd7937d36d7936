"""Dtypes: the floating-point formats of weights, and the integer formats of constants."""

from dataclasses import dataclass
from typing import Literal

DtypeName = Literal["float32", "float64", "float16", "bfloat16"]
IntegerName = Literal["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"]
TensorDtypeName = Literal[DtypeName, IntegerName]


@dataclass(frozen=True, slots=True)
class Dtype:
    """A binary floating-point format, and its names in the file formats.

    `itemsize` is in bytes, `max` is the largest finite value, `smallest_subnormal` the smallest positive one.
    `npy` is the descr of a .npy header. `code` is the number of the dtype in the kernels.
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
    """Make a dtype with the size and range of its field widths (IEEE 754-2019, section 3.4, table 3.5)."""
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
        # NumPy has no bfloat16: numpy.save writes the bfloat16 of ml_dtypes as 2-byte void.
        _make_dtype("bfloat16", 8, 7, npy="<V2", safetensors="BF16", code=3),
    )
}


@dataclass(frozen=True, slots=True)
class IntegerDtype:
    """An integer format, which only constants may have, and its names in the file formats.

    `itemsize` is in bytes, `min` and `max` are the smallest and the largest value. For bool they are 0 and 1.
    """

    name: IntegerName
    itemsize: int
    min: int
    max: int
    npy: str
    safetensors: str


def _make_integer(name: IntegerName, bits: int, *, npy: str, safetensors: str) -> IntegerDtype:
    """Make an integer dtype; name and bits determine its range."""
    is_signed = name.startswith("int")
    lowest, largest = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    return IntegerDtype(name, max(1, bits // 8), lowest, largest, npy, safetensors)


INTEGERS: dict[IntegerName, IntegerDtype] = {
    row.name: row
    for row in (
        _make_integer("int64", 64, npy="<i8", safetensors="I64"),
        _make_integer("int32", 32, npy="<i4", safetensors="I32"),
        _make_integer("int16", 16, npy="<i2", safetensors="I16"),
        _make_integer("int8", 8, npy="|i1", safetensors="I8"),
        _make_integer("uint64", 64, npy="<u8", safetensors="U64"),
        _make_integer("uint32", 32, npy="<u4", safetensors="U32"),
        _make_integer("uint16", 16, npy="<u2", safetensors="U16"),
        _make_integer("uint8", 8, npy="|u1", safetensors="U8"),
        _make_integer("bool", 1, npy="|b1", safetensors="BOOL"),
    )
}

_ROWS: tuple[Dtype | IntegerDtype, ...] = (*DTYPES.values(), *INTEGERS.values())
#: All dtypes of tensors of models.
TENSOR_DTYPES: dict[TensorDtypeName, Dtype | IntegerDtype] = {row.name: row for row in _ROWS}
