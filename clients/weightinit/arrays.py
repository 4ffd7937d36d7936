"""Buffers: the memory that weights are written to."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from weightinit.errors import BufferMismatch
from weightinit.spec.dtypes import Dtype, find_numpy_dtype

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12 on

    Array = np.ndarray[Any, np.dtype[Any]]
    # NumPy declares its arrays as buffers from Python 3.12 on.
    Destination = Buffer | Array


# XLA uses memory of this alignment without a copy: a cache line, and the widest vector.
ALIGNMENT = 64


def make_array(shape: tuple[int, ...], dtype: Dtype) -> "Array":
    """Return an uninitialized array of a shape and dtype, aligned to 64 bytes."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(find_numpy_dtype(dtype)).reshape(shape)


def view_bytes(buffer: "Destination", size: int) -> memoryview:
    """Return a byte view of a writable, C-contiguous buffer of a known size. Raises BufferMismatch.

    >>> len(view_bytes(bytearray(8), 8))
    8
    """
    if isinstance(buffer, np.ndarray):
        # memoryview does not support all dtypes, such as ml_dtypes' bfloat16; NumPy does.
        if not buffer.flags.c_contiguous:
            raise BufferMismatch("out must be C-contiguous")
        buffer = buffer.reshape(-1).view(np.uint8)
    try:
        view = memoryview(buffer)  # type: ignore[arg-type]  # or TypeError
    except TypeError:
        raise BufferMismatch(f"out must be a buffer; received {type(buffer).__name__}") from None
    if view.readonly or not view.c_contiguous:
        raise BufferMismatch(f"out must be {'writable' if view.readonly else 'C-contiguous'}")
    if view.nbytes != size:
        raise BufferMismatch(f"out must have {size} bytes; received {view.nbytes}")
    return view.cast("B") if view.nbytes else memoryview(bytearray())


def view_array(out: "Destination", shape: tuple[int, ...], dtype: Dtype) -> "Array":
    """Return `out` as an array of a shape and dtype that shares its memory. Raises BufferMismatch.

    An array must have that shape and dtype, or uint16 for the bits of bfloat16; any other buffer must have
    that size in bytes.
    """
    if not isinstance(out, np.ndarray):
        view = view_bytes(out, math.prod(shape) * dtype.itemsize)
        return np.frombuffer(view, np.uint8).view(find_numpy_dtype(dtype)).reshape(shape)
    if out.shape != shape:
        raise BufferMismatch(f"out must have shape {shape}; received {out.shape}")
    if out.dtype not in (find_numpy_dtype(dtype), np.dtype(dtype.bits)):
        raise BufferMismatch(f"out must have dtype {dtype.name}; received {out.dtype}")
    return out
