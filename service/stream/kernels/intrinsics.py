"""Numba intrinsics for the bits of scalars and for prefetching, and the masks that kernels share."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, float64, int64, types, uint32
from numba.extending import intrinsic

HIGH = np.uint64(32)
MAGNITUDE, SIGN = np.uint32(0x7FFFFFFF), np.uint32(0x80000000)


def reinterpret(source: Any, target: Any, llvm: ir.Type) -> Any:
    """Make an intrinsic that reinterprets the bits of one scalar type as another."""

    @intrinsic
    def cast(_typing: Any, _value: Any) -> Any:
        return target(source), lambda _context, builder, _signature, args: builder.bitcast(args[0], llvm)

    return cast


bits64 = reinterpret(float64, int64, ir.IntType(64))
bits32 = reinterpret(float32, uint32, ir.IntType(32))


@intrinsic
def prefetch(_typing: Any, out: Any, at: Any) -> Any:
    """Prefetch the cache line of out[at]. It may be beyond the end: a prefetch does not access memory."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        i32, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        kind = ir.FunctionType(ir.VoidType(), [pointer, i32, i32, i32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(function, [builder.gep(data, [args[1]]), i32(0), i32(2), i32(1)])
        return context.get_dummy_value()

    return types.void(out, at), emit
