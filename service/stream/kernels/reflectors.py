"""Reflectors: orthogonal matrices from Gaussian draws, by blocks of Householder reflectors.

Kernels see the tall matrix, of `rows` by `columns`. They share `blocks`, a tuple of three arrays: reflectors,
block after block and row by row; the products of a block's reflectors with each other, SIDE by SIDE for each
block; and scales, where row 2 · block has the tau of each column and the next one its sign.
"""

import math

import numpy as np
from numba import boolean, float64, int64, njit, types

from service.stream.kernels import fill as _fill  # noqa: F401  # sets the directory of the cache
from service.stream.kernels.tiles import (
    ALIGNED_ROWS,
    CHUNK_ROWS,
    SIDE,
    WIDTH,
    add_gram,
    add_products,
    subtract_products,
)

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
def place_columns(drawn, v, at):
    """Copy columns, which are rows of `drawn`, into rows of v: what is below the diagonal, else zeros."""
    count, height = drawn.shape
    v[at : at + pad_rows(height) * SIDE] = 0.0
    for start in range(0, height, SIDE):
        for i in range(count):
            for r in range(max(start, i), min(start + SIDE, height)):
                v[at + r * SIDE + i] = drawn[i, r]


@njit(types.void(float64[:, ::1], int64, int64, BLOCKS), nogil=True, cache=True)
def make_block(drawn, rows, block, blocks):
    """Make the reflectors of a block from the draws of its columns, in rows of `drawn`, from its top row on.

    The last column of a square matrix has one row: its reflector is the identity, and its sign the draw's.
    """
    reflectors, products, scales = blocks
    at, gram_at, (count, height) = find_block(block, rows), block * SIDE * SIDE, drawn.shape
    gram, tau, signs = products[gram_at : gram_at + SIDE * SIDE], scales[2 * block], scales[2 * block + 1]
    place_columns(drawn, reflectors, at)
    squares = np.zeros(SIDE, np.float64)
    for r in range(height):
        for i in range(SIDE):
            squares[i] += reflectors[at + r * SIDE + i] * reflectors[at + r * SIDE + i]
    tau[:], signs[:], gram[:] = 0.0, 1.0, 0.0
    for i in range(count):
        head = at + i * SIDE + i
        x, norm = reflectors[head], math.sqrt(squares[i])
        signs[i] = -math.copysign(1.0, x)
        if i == height - 1:
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
def write_panel(panel, number, rows, columns, is_wide, out):
    """Write the columns of a panel into a matrix, as its rows if it is the transpose of the tall one."""
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


@njit(types.void(BLOCKS, int64, int64, int64, boolean, float64[::1]), nogil=True, cache=True)
def finish_panel(blocks, number, rows, columns, is_wide, out):
    """Compute WIDTH columns of the tall matrix, from number · WIDTH on. Needs the blocks up to theirs."""
    panel, first = np.zeros(pad_rows(rows) * WIDTH, np.float64), number * WIDTH
    count = min(WIDTH, columns - first)
    for t in range(count):
        column = first + t
        panel[column * WIDTH + t] = blocks[2][2 * (column // SIDE) + 1, column % SIDE]
    apply_blocks(blocks, (first + count - 1) // SIDE, rows, panel)
    write_panel(panel, number, rows, columns, is_wide, out)
