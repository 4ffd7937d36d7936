"""Diagonals: find the elements of a range whose output is their input, at the centre of the space."""

import numpy as np
from numba import int64, njit, types


@njit(nogil=True)
def measure(places, axes):
    """Return output and input of the first element of a row, and whether the other axes are at the centre."""
    output, of_input, centred = 0, 0, True
    for axis in range(places.size - 1):
        output += places[axis] * axes[axis, 0]
        of_input += places[axis] * axes[axis, 1]
        centred &= axes[axis, 2] < 0 or places[axis] == axes[axis, 2]
    return output, of_input, centred


@njit(nogil=True)
def locate_axes(starts, sizes, start):
    """Return the index on each axis of element `start` of a slice."""
    places, rest = np.empty_like(starts), start
    for axis in range(sizes.size - 1, -1, -1):
        places[axis] = starts[axis] + rest % sizes[axis]
        rest //= sizes[axis]
    return places


@njit(nogil=True)
def find_in_row(row, axes, period, first, count, done, found, total):
    """List those of `count` elements of a row that are on the diagonal. Return the number in the list."""
    output, of_input, _ = row
    centre = axes[2]
    for j in range(first, first + count):
        if (output + j * axes[0]) % period == of_input + j * axes[1] and (centre < 0 or j == centre):
            found[total] = done + j - first
            total += 1
    return total


@njit(
    types.int64(
        int64[::1],  # first index of each axis of the slice
        int64[::1],  # number of indices of each
        int64[:, ::1],  # for each axis: strides of the output and of the input, and the centre or -1
        int64,  # period: outputs in a group
        int64,  # start
        int64,  # count
        int64[::1],  # found
    ),
    nogil=True,
    cache=True,
)
def find_diagonal(starts, sizes, axes, period, start, count, found):
    """List which of consecutive elements, from element start on, are on the diagonal. Return their number.

    An element is if its output, modulo `period`, is its input, and its position in space is the centre.
    """
    places, last, done, total = locate_axes(starts, sizes, start), sizes.size - 1, 0, 0
    while done < count:
        run = min(starts[last] + sizes[last] - places[last], count - done)
        row = measure(places, axes)
        if row[2]:
            total = find_in_row(row, axes[last], period, places[last], run, done, found, total)
        done += run
        axis = last
        places[axis] += run
        while axis > 0 and places[axis] == starts[axis] + sizes[axis]:
            places[axis] = starts[axis]
            axis -= 1
            places[axis] += 1
    return total
