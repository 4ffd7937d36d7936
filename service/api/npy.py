"""The .npy format: the header that numpy.save writes before the bytes of an array (NEP 1)."""

from functools import lru_cache
from io import BytesIO

from numpy.lib.format import write_array_header_1_0

from service.core import DtypeName

# NumPy has no bfloat16 of its own; ml_dtypes' arrays are saved, and loaded, as two bytes of anything.
DESCRIPTIONS: dict[DtypeName, str] = {
    "float32": "<f4",
    "float64": "<f8",
    "float16": "<f2",
    "bfloat16": "<V2",
}


@lru_cache(1024)
def make_npy_header(shape: tuple[int, ...], dtype: DtypeName) -> bytes:
    """Make the header of a row-major array: a multiple of 64 bytes.

    >>> len(make_npy_header((784, 300), "float32"))
    128
    """
    header = BytesIO()
    description = {"descr": DESCRIPTIONS[dtype], "fortran_order": False, "shape": shape}
    write_array_header_1_0(header, description)
    return header.getvalue()
