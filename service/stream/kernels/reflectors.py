"""Reflectors: orthogonal matrices from Gaussian draws, by blocks of Householder reflectors.

`geometry` is what a matrix is drawn and written by: the position of its first draw, the strides in the stream
of a column and of a row, and the sizes of the tall matrix, (offset, column stride, row stride, rows, columns).
"""

import math

import numpy as np
from numba import float64, int64, njit, types, uint32, uint64

from service.stream.kernels.encode import DTYPE_CODES
from service.stream.kernels.fill import fill
from service.stream.kernels.tiles import (
    ALIGNED_ROWS,
    CHUNK_ROWS,
    SIDE,
    WIDTH,
    add_gram,
    add_products,
    subtract_products,
)
from service.stream.kernels.transforms import DISTRIBUTION_CODES

NORMAL, FLOAT64 = DISTRIBUTION_CODES["normal"], DTYPE_CODES["float64"]
LARGEST = float(np.finfo(np.float64).max)

KEY = uint32[::1]
TABLES = types.Array(float64, 3, "C", readonly=True)
GEOMETRY = types.Tuple((uint64, uint64, uint64, int64, int64))
BLOCKS = types.Tuple((float64[::1], float64[::1], float64[:, ::1]))


@njit(nogil=True, inline="always")
def pad_rows(rows):
    """Return a number of rows, padded for the tiles."""
    return -(-rows // ALIGNED_ROWS) * ALIGNED_ROWS


@njit(nogil=True, inline="always")
def find_block(block, rows):
    """Return the offset of a block in the array of all reflectors: blocks have SIDE rows less each."""
    return SIDE * (block * pad_rows(rows) - SIDE * (block * (block - 1) // 2))


@njit(nogil=True)
def draw_columns(key, tables, geometry, block, v, at):
    """Draw the columns of a block below the diagonal into rows of v, with zeros elsewhere."""
    offset, column_stride, row_stride, rows, columns = geometry
    first = block * SIDE
    count, height = min(SIDE, columns - first), rows - first
    sizes = np.array([count, height], np.int64)
    strides = np.array([column_stride, row_stride], np.uint64)
    drawn = np.empty(count * height, np.float64)
    positions = (sizes, strides, offset + uint64(first) * (column_stride + row_stride))
    fill(key, positions, NORMAL, tables, 1.0, LARGEST, FLOAT64, 8, 0, drawn.view(np.uint8))
    v[at : at + pad_rows(height) * SIDE] = 0.0
    for start in range(0, height, SIDE):
        for i in range(count):
            for r in range(max(start, i), min(start + SIDE, height)):
                v[at + r * SIDE + i] = drawn[i * height + r]
    return count, height


@njit(types.void(KEY, TABLES, GEOMETRY, int64, BLOCKS), nogil=True, cache=True)
def make_block(key, tables, geometry, block, blocks):
    """Make the reflectors of a block, their products with each other, and for each column tau and its sign.

    blocks = (reflectors, products, scales): reflectors row by row; products[block] is SIDE by SIDE;
    scales[2 · block] has tau and scales[2 · block + 1] the sign of each column.
    """
    reflectors, products, scales = blocks
    at, gram_at = find_block(block, geometry[3]), block * SIDE * SIDE
    count, height = draw_columns(key, tables, geometry, block, reflectors, at)
    gram, tau, signs = products[gram_at : gram_at + SIDE * SIDE], scales[2 * block], scales[2 * block + 1]
    squares = np.zeros(SIDE, np.float64)
    for r in range(height):
        for i in range(SIDE):
            squares[i] += reflectors[at + r * SIDE + i] * reflectors[at + r * SIDE + i]
    tau[:], signs[:], gram[:] = 0.0, 1.0, 0.0
    for i in range(count):
        head = at + i * SIDE + i
        x, norm = reflectors[head], math.sqrt(squares[i])
        signs[i] = -math.copysign(1.0, x)
        if i == height - 1:  # one row: the sign alone is an orthogonal matrix
            signs[i] = -signs[i]
            continue
        reflectors[head] = x + math.copysign(norm, x)
        tau[i] = 1.0 / (norm * (norm + abs(x)))
    add_gram(gram, reflectors, at, reflectors, at, pad_rows(height))


@njit(nogil=True)
def solve_block(blocks, block, sums):
    """Replace the products of a block's reflectors with a panel by the factors of the reflectors."""
    products, scales = blocks[1], blocks[2]
    top, tau = block * SIDE * SIDE, scales[2 * block]
    for i in range(SIDE - 1, -1, -1):
        row = sums[i * WIDTH : (i + 1) * WIDTH]
        for after in range(i + 1, SIDE):
            product = products[top + i * SIDE + after]
            for t in range(WIDTH):
                row[t] -= product * sums[after * WIDTH + t]
        for t in range(WIDTH):
            row[t] *= tau[i]


@njit(nogil=True)
def apply_blocks(blocks, last, rows, panel):
    """Apply the reflectors of blocks last, last - 1, … 0 to a panel of WIDTH columns, in place.

    A block changes a chunk of rows just before the next block reads it, while it is in the cache.
    """
    reflectors, padded = blocks[0], pad_rows(rows)
    sums, following = np.zeros(SIDE * WIDTH), np.zeros(SIDE * WIDTH)
    top = last * SIDE
    add_products(sums, reflectors, find_block(last, rows), panel, top * WIDTH, padded - top)
    for block in range(last, -1, -1):
        solve_block(blocks, block, sums)
        at, top = find_block(block, rows), block * SIDE
        above = find_block(block - 1, rows) + SIDE * SIDE
        if block > 0:
            following[:] = 0.0
            first = (top - SIDE) * WIDTH
            add_products(following, reflectors, above - SIDE * SIDE, panel, first, SIDE)
        for row in range(0, padded - top, CHUNK_ROWS):
            count, chunk = min(CHUNK_ROWS, padded - top - row), (top + row) * WIDTH
            subtract_products(panel, chunk, reflectors, at + row * SIDE, sums, count)
            if block > 0:
                add_products(following, reflectors, above + row * SIDE, panel, chunk, count)
        sums, following = following, sums


@njit(nogil=True)
def write_panel(panel, number, geometry, is_wide, out):
    """Write the columns of a panel into the matrix: as rows of it if it is wide, the transpose of a tall one."""
    rows, columns = geometry[3], geometry[4]
    first = number * WIDTH
    count = min(WIDTH, columns - first)
    if not is_wide:
        for r in range(rows):
            for t in range(count):
                out[r * columns + first + t] = panel[r * WIDTH + t]
        return
    for start in range(0, rows, SIDE):
        for t in range(count):
            for r in range(start, min(start + SIDE, rows)):
                out[(first + t) * rows + r] = panel[r * WIDTH + t]


@njit(types.void(BLOCKS, GEOMETRY, int64, types.boolean, float64[::1]), nogil=True, cache=True)
def finish_panel(blocks, geometry, number, is_wide, out):
    """Compute columns WIDTH · number to WIDTH · number + WIDTH of the tall matrix. Needs the blocks up to it."""
    rows, columns = geometry[3], geometry[4]
    panel, first = np.zeros(pad_rows(rows) * WIDTH, np.float64), number * WIDTH
    count = min(WIDTH, columns - first)
    for t in range(count):
        column = first + t
        panel[column * WIDTH + t] = blocks[2][2 * (column // SIDE) + 1, column % SIDE]
    apply_blocks(blocks, (first + count - 1) // SIDE, rows, panel)
    write_panel(panel, number, geometry, is_wide, out)


@njit(
    types.void(KEY, TABLES, GEOMETRY, uint64, types.boolean, int64, float64[:, ::1]), nogil=True, cache=True
)
def make_matrices(key, tables, geometry, stack_stride, is_wide, first, out):
    """Compute consecutive matrices of a stack, from number `first` on: one for each row of out."""
    offset, column_stride, row_stride, rows, columns = geometry
    count = -(-columns // SIDE)
    reflectors = np.empty(find_block(count, rows), np.float64)
    blocks = (reflectors, np.empty(count * SIDE * SIDE), np.empty((2 * count, SIDE)))
    for number in range(out.shape[0]):
        start = offset + uint64(first + number) * stack_stride
        placed = (start, column_stride, row_stride, rows, columns)
        for block in range(count):
            make_block(key, tables, placed, block, blocks)
        for panel in range(-(-columns // WIDTH)):
            finish_panel(blocks, placed, panel, is_wide, out[number])
