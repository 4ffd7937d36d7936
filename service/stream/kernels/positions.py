"""Steps: how far the elements of a walk lie from the first of their line, and their draws by them.

A line is one element, or one short axis or several: what a walk repeats, from another position each time. So
the steps of a few lines are listed once, and the draws of a block add them to one position.
"""

import numpy as np
from numba import int64, njit, uint32, uint64

from service.stream.kernels.philox import LANE, TILE, draw_steps

FARTHEST = np.uint64(2**32 - 1)  # a step is a u32: so more of them fit a register's load


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


@njit(nogil=True)
def list_steps(walk, count):
    """Return the steps of some lines, the last, the furthest within a tile, a line's size and their axis.

    From anywhere in the first line there are count steps, unless the axis, or what a u32 holds, ends before.
    """
    sizes, strides = walk[0], walk[1]
    steps, last = np.zeros(3 * count, np.uint32), uint64(0)
    line, axis = 1, sizes.size - 1
    while True:
        lines = min(sizes[axis], (count - 1) // line + 2) if line < count else 1
        lines = int64(min(uint64(lines - 1), (FARTHEST - last) // strides[axis])) + 1
        for i in range(1, lines):
            further = uint32(uint64(i) * strides[axis])
            for j in range(line):
                steps[i * line + j] = steps[j] + further
        last += uint64(lines - 1) * strides[axis]
        if lines < sizes[axis] or axis == 0:
            steps = steps[: lines * line]
            return steps, last, uint64((steps & uint32(TILE - 1)).max()), line, axis
        line *= lines
        axis -= 1


@njit(nogil=True)
def find_steps(walk, start, steps, line, axis):
    """Return the canonical position that steps count from at an element, and the steps from there on."""
    sizes, strides, position = walk
    rest, first = start // line, start % line
    left = (sizes[axis] - rest % sizes[axis]) * line - first
    while axis >= 0:
        position += uint64(rest % sizes[axis]) * strides[axis]
        rest //= sizes[axis]
        axis -= 1
    return position, steps[first : min(first + left, steps.size)]


@njit(nogil=True)
def draw_scattered(key, walk, start, listed, words):
    """Set words to the draws of consecutive elements of a walk, by the blocks of single positions."""
    steps, last, reach, line, axis = listed
    done = 0
    while done < words.size:
        position, found = find_steps(walk, start + done, steps, line, axis)
        count = min(found.size, words.size - done)
        draw_steps(key, position, found[:count], last, reach, words[done : done + count])
        done += count
