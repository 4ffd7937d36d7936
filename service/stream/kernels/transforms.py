"""Transforms: convert words to magnitudes of the standard distributions, in float64."""

from typing import Any

from llvmlite import ir
from numba import float64, int32, njit, types, uint32
from numba.extending import intrinsic

from service.core import DistributionName
from service.stream.kernels.intrinsics import MAGNITUDE, bits64

DISTRIBUTION_CODES: dict[DistributionName, int] = {"uniform": 0, "normal": 1, "truncated_normal": 2}
UNIFORM = DISTRIBUTION_CODES["uniform"]

# Offset of a row in its table: (exponent and 5 leading fraction bits of x, minus those of 1/2) · 4
# coefficients.
OFFSET_SHIFT, OFFSET_MASK, OFFSET_BASE = 52 - 5 - 2, ~3, 1022 << (5 + 2)


@intrinsic
def evaluate_cubics(_typing: Any, table: Any, index: Any, y: Any, start: Any) -> Any:
    """Replace y[start:start+4] by the values of the cubics of four table rows, by Horner's rule.

    LLVM does not vectorize the simple loop, which needs a gather. On Zen 3, four loads of whole rows and a
    4 by 4 transpose in registers are twice as fast as the loop and as the gather instruction.
    """
    double, i32, i64 = ir.DoubleType(), ir.IntType(32), ir.IntType(64)
    row_type = ir.VectorType(double, 4)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        table_at, index_at, y_at = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[:3], args[:3], strict=True)
        )

        def vector(pointer: ir.Value, offset: ir.Value) -> ir.Value:
            return builder.bitcast(builder.gep(pointer, [offset]), row_type.as_pointer())

        def pick(a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(i32, 4), lanes))

        rows = []
        for k in range(4):
            row = builder.load(builder.gep(index_at, [builder.add(args[3], i64(k))]))
            rows.append(builder.load(vector(table_at, builder.zext(row, i64)), align=8))
        even01, odd01 = pick(rows[0], rows[1], [0, 4, 2, 6]), pick(rows[0], rows[1], [1, 5, 3, 7])
        even23, odd23 = pick(rows[2], rows[3], [0, 4, 2, 6]), pick(rows[2], rows[3], [1, 5, 3, 7])
        c0, c2 = pick(even01, even23, [0, 1, 4, 5]), pick(even01, even23, [2, 3, 6, 7])
        c1, c3 = pick(odd01, odd23, [0, 1, 4, 5]), pick(odd01, odd23, [2, 3, 6, 7])
        at = builder.load(vector(y_at, args[3]), align=8)
        value = c3
        for coefficient in (c2, c1, c0):
            value = builder.fadd(coefficient, builder.fmul(at, value))
        builder.store(value, vector(y_at, args[3]), align=8)
        return context.get_dummy_value()

    return types.void(table, index, y, start), emit


@njit(nogil=True)
def transform_table(words, table, y, index):
    """Set y to the magnitudes of the tabulated inverse CDF. words.size is a multiple of four."""
    for j in range(words.size):
        magnitude = float64(int32(words[j] & MAGNITUDE)) + 0.5
        y[j] = magnitude
        index[j] = uint32(
            (int32(bits64(magnitude) >> OFFSET_SHIFT) & int32(OFFSET_MASK)) - int32(OFFSET_BASE)
        )
    for j in range(0, words.size, 4):
        evaluate_cubics(table, index, y, j)
