"""Dtypes: those of weights and of constants, with their NumPy equivalents."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Dtype:
    """A dtype of responses: its size in bytes, and the type of its bits in NumPy and in `.npy` files."""

    name: str
    itemsize: int
    bits: str
    npy: str


# NumPy has no bfloat16, and numpy.save writes that of ml_dtypes as two untyped bytes.
DTYPES: dict[str, Dtype] = {
    row.name: row
    for row in (
        Dtype("float32", 4, "<f4", "<f4"),
        Dtype("float64", 8, "<f8", "<f8"),
        Dtype("float16", 2, "<f2", "<f2"),
        Dtype("bfloat16", 2, "<u2", "<V2"),
    )
}

# For constants of a model only.
INTEGERS: dict[str, Dtype] = {
    row.name: row
    for row in (
        Dtype("int64", 8, "<i8", "<i8"),
        Dtype("int32", 4, "<i4", "<i4"),
        Dtype("int16", 2, "<i2", "<i2"),
        Dtype("int8", 1, "|i1", "|i1"),
        Dtype("uint64", 8, "<u8", "<u8"),
        Dtype("uint32", 4, "<u4", "<u4"),
        Dtype("uint16", 2, "<u2", "<u2"),
        Dtype("uint8", 1, "|u1", "|u1"),
        Dtype("bool", 1, "|b1", "|b1"),
    )
}
# The dtypes of a model's tensors.
TENSOR_DTYPES: dict[str, Dtype] = {**DTYPES, **INTEGERS}
# JSON numbers are doubles, which hold every integer up to here (RFC 7493, section 2.2).
MAX_INTEGER = 2**53 - 1


def find_range(dtype: str) -> tuple[int, int] | None:
    """Return the smallest and the largest constant of an integer dtype; None for a float.

    >>> find_range("int8"), find_range("bool"), find_range("float32")
    ((-128, 127), (0, 1), None)
    """
    if dtype not in INTEGERS:
        return None
    if dtype == "bool":
        return 0, 1
    bits = 8 * INTEGERS[dtype].itemsize
    least, most = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return max(least, -MAX_INTEGER), min(most, MAX_INTEGER)


def find_numpy_dtype(dtype: Dtype) -> "np.dtype[Any]":
    """Return the NumPy dtype of a format: ml_dtypes' bfloat16 if installed, else its bits as uint16.

    >>> find_numpy_dtype(DTYPES["float16"]).name
    'float16'
    """
    import numpy as np  # noqa: PLC0415 - slow to import, and needed for arrays only

    if dtype.name == "bfloat16":
        try:
            from ml_dtypes import bfloat16  # noqa: PLC0415 - optional
        except ImportError:
            return np.dtype(dtype.bits)
        return np.dtype(bfloat16)  # type: ignore[no-any-return]  # published without types
    return np.dtype(dtype.bits)
