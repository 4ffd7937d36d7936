"""Tiles: products of small matrices, held in vector registers, with a fixed order of every sum.

LLVM does not keep a tile of sums in registers across a loop over arrays, so the loop is written in its own
language. Each sum has one lane, so the width of the vectors and the size of a tile change no bit.
"""

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

SIDE = 32  # reflectors of a block: part of the stream, unlike the other sizes
WIDTH = 64  # columns of a panel, which reads all reflectors once
ALIGNED_ROWS = 8  # rows are padded to a multiple of it, the most rows of a tile
CHUNK_ROWS = 64  # rows that fit the L1 cache, of a panel and its factors
UNROLLED = 4  # steps of a tile between two branches; divides all numbers of steps


def choose_tile() -> tuple[int, int, int]:
    """Return the rows of a tile, its vectors in a row, and the doubles of a vector, for this processor."""
    if config.CPU_NAME is None and config.CPU_FEATURES is None:
        features = llvm.get_host_cpu_features()
        has_avx512, has_avx = features.get("avx512f", False), features.get("avx2", False)
    else:
        listed = (config.CPU_FEATURES or "").split(",")
        has_avx512, has_avx = "+avx512f" in listed, "+avx2" in listed
    if has_avx512:
        return 8, 2, 8
    return (4, 2, 4) if has_avx else (4, 2, 2)


TILE_ROWS, VECTORS, LANES = choose_tile()
TILE_COLUMNS = VECTORS * LANES
I32, I64, VECTOR = ir.IntType(32), ir.IntType(64), ir.VectorType(ir.DoubleType(), LANES)


def point(builder: ir.IRBuilder, base: ir.Value, offset: int) -> ir.Value:
    """Return the address of a vector that starts some elements after an address."""
    return builder.bitcast(builder.gep(base, [I64(offset)]), VECTOR.as_pointer())


def splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return a vector with one value in all lanes."""
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, I32(0))
    lanes = ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(VECTOR, ir.Undefined), lanes)


def make_tile(row_stride: int, step_stride: int, width: int, combine: str) -> Any:
    """Make an intrinsic that adds to, or subtracts from, a tile of `out` the products of its steps.

    For each step in ascending order: out[q, t] ±= left[q · row_stride + step · step_stride] · right[step, t],
    a product and a sum, each rounded. Rows of `out` and `right` are `width` apart. The number of steps is a
    positive multiple of UNROLLED.
    """
    cells = [(q, t) for q in range(TILE_ROWS) for t in range(VECTORS)]

    def advance(builder: ir.IRBuilder, left: ir.Value, right: ir.Value, sums: list[ir.Value]) -> None:
        rights = [builder.load(point(builder, right, t * LANES), align=8) for t in range(VECTORS)]
        for q in range(TILE_ROWS):
            factor = splat(builder, builder.load(builder.gep(left, [I64(q * row_stride)])))
            for t in range(VECTORS):
                at = q * VECTORS + t
                sums[at] = getattr(builder, combine)(sums[at], builder.fmul(factor, rights[t]))

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        bases = [context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 2, 4)]
        out, left, right = (builder.gep(base, [args[2 * k + 1]]) for k, base in enumerate(bases))
        before = builder.block
        held = [builder.load(point(builder, out, q * width + t * LANES), align=8) for q, t in cells]
        loop, after = builder.append_basic_block("steps"), builder.append_basic_block("end")
        builder.branch(loop)
        builder.position_at_end(loop)
        step, phis = builder.phi(I64), [builder.phi(VECTOR) for _ in cells]
        sums: list[ir.Value] = list(phis)
        for ahead in range(UNROLLED):
            now = builder.add(step, I64(ahead))
            left_at = builder.gep(left, [builder.mul(now, I64(step_stride))])
            right_at = builder.gep(right, [builder.mul(now, I64(width))])
            advance(builder, left_at, right_at, sums)
        following = builder.add(step, I64(UNROLLED))
        for phi, first, value in zip([step, *phis], [I64(0), *held], [following, *sums], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, args[6]), loop, after)
        builder.position_at_end(after)
        for (q, t), value in zip(cells, sums, strict=True):
            builder.store(value, point(builder, out, q * width + t * LANES), align=8)
        return context.get_dummy_value()

    @intrinsic
    def tile(
        _typing: Any, out: Any, _out: Any, left: Any, _left: Any, right: Any, _right: Any, _steps: Any
    ) -> Any:
        at = types.int64
        return types.void(out, at, left, at, right, at, at), emit

    return tile


def make_add(width: int) -> Any:
    """Make the kernel that adds leftᵀ · right to sums, SIDE by width."""
    add_tile = make_tile(1, SIDE, width, "fadd")

    @njit(nogil=True)
    def add_products(sums, left, left_at, right, right_at, rows):
        """Add leftᵀ · right to sums, in ascending order of the rows."""
        for first in range(0, rows, CHUNK_ROWS):
            steps = min(CHUNK_ROWS, rows - first)
            from_left, from_right = left_at + first * SIDE, right_at + first * width
            for q in range(0, SIDE, TILE_ROWS):
                for t in range(0, width, TILE_COLUMNS):
                    add_tile(sums, q * width + t, left, from_left + q, right, from_right + t, steps)

    return add_products


subtract_tile = make_tile(SIDE, 1, WIDTH, "fsub")
add_gram, add_products = make_add(SIDE), make_add(WIDTH)


@njit(nogil=True)
def subtract_products(panel, panel_at, left, left_at, factors, rows):
    """Subtract left · factors from a panel, in ascending order of the columns of left."""
    for row in range(0, rows, TILE_ROWS):
        for t in range(0, WIDTH, TILE_COLUMNS):
            at = panel_at + row * WIDTH + t
            subtract_tile(panel, at, left, left_at + row * SIDE, factors, t, SIDE)
