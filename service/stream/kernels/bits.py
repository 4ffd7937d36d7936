"""The bits of scalars, and the masks that all kernels share."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, float64, int64, uint32
from numba.extending import intrinsic

HIGH = np.uint64(32)
MAGNITUDE, SIGN = np.uint32(0x7FFFFFFF), np.uint32(0x80000000)


def reinterpret(source: Any, target: Any, llvm: ir.Type) -> Any:
    """Return an intrinsic that reads the bits of one scalar type as another."""

    @intrinsic
    def cast(_typing: Any, _value: Any) -> Any:
        return target(source), lambda _context, builder, _signature, args: builder.bitcast(args[0], llvm)

    return cast


bits64 = reinterpret(float64, int64, ir.IntType(64))
bits32 = reinterpret(float32, uint32, ir.IntType(32))
