"""Strided positions: compute the positions of the elements of a slice, and draw at them.

A line is one element, or the innermost axes if they are short together. All lines have the same steps, the
distances of their elements from the first one. The steps of a few lines are computed once and added to the
first position of each block.
"""

import numpy as np
from numba import int64, njit, uint32, uint64

from service.stream.kernels.philox import LANE, TILE, draw_steps

FARTHEST = np.uint64(2**32 - 1)  # steps are u32, so that more of them fit in a vector register


@njit(nogil=True)
def locate(positions, start):
    """Return the position of element `start`, and the elements left in its innermost axis."""
    sizes, strides, position = positions
    rest = start
    for axis in range(sizes.size - 1, -1, -1):
        position += uint64(rest % sizes[axis]) * strides[axis]
        rest //= sizes[axis]
    return position, sizes[-1] - start % sizes[-1]


@njit(nogil=True)
def is_dense(sizes, strides):
    """Return whether drawing whole tiles is faster than drawing single positions.

    It is faster for long contiguous runs, and for short runs with small gaps, unless the next axis leaves the
    tile after a few runs.
    """
    if strides[-1] != uint64(1) or sizes[-1] >= LANE or sizes.size == 1:
        return strides[-1] == uint64(1)
    near = uint64(4 * sizes[-1]) >= strides[-2]
    return near and (sizes.size == 2 or uint64(sizes[-2]) * strides[-2] >= uint64(TILE))


@njit(nogil=True)
def list_steps(positions, count):
    """Return steps, their last, their largest modulo a tile, the size of a line and the axis of the lines.

    They have enough lines for `count` steps from any element of the first line, unless the axis or the range
    of u32 ends before.
    """
    sizes, strides = positions[0], positions[1]
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
def find_steps(positions, start, steps, line, axis):
    """Return the first position of the line of element `start`, and the steps from that element on."""
    sizes, strides, position = positions
    rest, first = start // line, start % line
    left = (sizes[axis] - rest % sizes[axis]) * line - first
    while axis >= 0:
        position += uint64(rest % sizes[axis]) * strides[axis]
        rest //= sizes[axis]
        axis -= 1
    return position, steps[first : min(first + left, steps.size)]


@njit(nogil=True)
def draw_scattered(key, positions, start, listed, words):
    """Fill words with the draws of consecutive elements, computing the Philox block of each position."""
    steps, last, reach, line, axis = listed
    done = 0
    while done < words.size:
        position, found = find_steps(positions, start + done, steps, line, axis)
        count = min(found.size, words.size - done)
        draw_steps(key, position, found[:count], last, reach, words[done : done + count])
        done += count
