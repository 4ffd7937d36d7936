"""Dtypes: the formats that weights come in, as NumPy holds them."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Dtype:
    """A format on the wire: its size in bytes, and how NumPy and `.npy` files spell its bits."""

    name: str
    itemsize: int
    bits: str
    npy: str


# bfloat16: NumPy has none of its own, and numpy.save writes that of ml_dtypes as two bytes of anything.
DTYPES: dict[str, Dtype] = {
    row.name: row
    for row in (
        Dtype("float32", 4, "<f4", "<f4"),
        Dtype("float64", 8, "<f8", "<f8"),
        Dtype("float16", 2, "<f2", "<f2"),
        Dtype("bfloat16", 2, "<u2", "<V2"),
    )
}


def find_numpy_dtype(dtype: Dtype) -> "np.dtype[Any]":
    """Return the NumPy dtype of a format: ml_dtypes' bfloat16 where it is installed, else its bits as uint16.

    >>> find_numpy_dtype(DTYPES["float16"]).name
    'float16'
    """
    if dtype.name == "bfloat16":
        try:
            from ml_dtypes import bfloat16  # noqa: PLC0415 - optional: whoever uses bfloat16 mostly has it
        except ImportError:
            return np.dtype(dtype.bits)
        return np.dtype(bfloat16)  # type: ignore[no-any-return]  # published without types
    return np.dtype(dtype.bits)
