"""Walks: which canonical positions consecutive elements of a box take. A walk is (sizes, strides, offset)."""

from numba import njit, uint64

from service.stream.kernels.words import LANE, TILE


@njit(nogil=True)
def locate(walk, start):
    """Return the canonical position of a walk's element, and how many its innermost axis has left."""
    sizes, strides, position = walk
    rest = start
    for axis in range(sizes.size - 1, -1, -1):
        position += uint64(rest % sizes[axis]) * strides[axis]
        rest //= sizes[axis]
    return position, sizes[-1] - start % sizes[-1]


@njit(nogil=True)
def is_dense(sizes, strides):
    """Tell whether a walk wants enough of each tile for whole tiles to cost less than single positions.

    Long runs do, and short ones with small holes between, unless a further axis jumps away after a few.
    """
    if strides[-1] != uint64(1) or sizes[-1] >= LANE or sizes.size == 1:
        return strides[-1] == uint64(1)
    near = uint64(4 * sizes[-1]) >= strides[-2]
    return near and (sizes.size == 2 or uint64(sizes[-2]) * strides[-2] >= uint64(TILE))
