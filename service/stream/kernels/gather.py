"""Gathering: find the columns that elements of a tensor need, and copy elements from finished matrices.

`kind` describes the matrices of a tensor: (elements of a matrix, inputs, taps, center, whether the columns of
the tall matrix are the rows of this one). Position n in canonical order is element n // taps of the
matrices in a row, if n % taps is the center, and zero otherwise.
"""

from numba import boolean, float64, int64, njit, types, uint8, uint64

from service.stream.kernels.positions import locate
from service.stream.kernels.tiles import WIDTH

POSITIONS = types.Tuple((int64[::1], uint64[::1], uint64))
KIND = types.Tuple((uint64, uint64, uint64, uint64, boolean))


@njit(nogil=True)
def mark_panel(place, kind, together, needed):
    """Mark the panel of a position. Return 1 if it was not marked before and the position has a value."""
    size, inputs, taps, center, is_wide = kind
    if taps > uint64(1):
        if place % taps != center:
            return 0
        place //= taps
    matrix, inside = int64(place // size) // together, place % size
    panel = int64(inside // inputs if is_wide else inside % inputs) // WIDTH
    is_new = needed[matrix, panel] == 0
    needed[matrix, panel] = 1
    return int64(is_new)


@njit(types.void(POSITIONS, KIND, int64, int64, int64, uint8[:, ::1]), nogil=True, cache=True)
def mark_panels(positions, kind, start, count, together, needed):
    """Set needed[number of the matrix // together, panel] to 1 for consecutive elements, from start on."""
    _, inputs, taps, center, is_wide = kind
    stride, done, missing = positions[1][-1], 0, needed.size
    while done < count and missing:
        position, left = locate(positions, start + done)
        run, step = min(left, count - done), 0
        end = position + uint64(run - 1) * stride
        if is_wide and position // (taps * inputs) == end // (taps * inputs):
            # All are of one column: one element of the center is enough.
            while taps > uint64(1) and step < run - 1 and (position + uint64(step) * stride) % taps != center:
                step += 1
            missing -= mark_panel(position + uint64(step) * stride, kind, together, needed)
            step = run
        while step < run and missing:
            missing -= mark_panel(position + uint64(step) * stride, kind, together, needed)
            step += 1
        done += run


@njit(types.void(POSITIONS, KIND, int64, float64[:, ::1], int64, float64[::1]), nogil=True, cache=True)
def gather(positions, kind, start, matrices, first, out):
    """Copy consecutive elements that are in some matrices, the first of which has number `first`."""
    size, taps, center = kind[0], kind[2], kind[3]
    stride, done, values = positions[1][-1], 0, matrices.reshape(matrices.size)
    before, total = uint64(first) * size, uint64(matrices.size)
    while done < out.size:
        position, left = locate(positions, start + done)
        run = min(left, out.size - done)
        end = position + uint64(run - 1) * stride
        if taps == uint64(1) and position >= before and end < before + total:
            at = int64(position - before)
            for step in range(run):
                out[done + step] = values[at + step * int64(stride)]
        else:
            for step in range(run):
                place = position + uint64(step) * stride
                if place % taps == center:
                    place //= taps
                    if before <= place < before + total:
                        out[done + step] = values[int64(place - before)]
        done += run
