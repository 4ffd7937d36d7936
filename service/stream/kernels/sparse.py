"""Sparse: find the words below which the elements of a unit are zero, and mark those elements.

The elements of unit u have the positions (u // inner) · inner · size + u % inner + j · inner, for j from 0 to
size - 1. So `inner` is 1 where units are contiguous.
"""

import numpy as np
from numba import boolean, int64, njit, types, uint32, uint64

from service.stream.kernels.positions import locate
from service.stream.kernels.ranges import POSITIONS

LOW32 = np.uint64(0xFFFFFFFF)


@njit(types.void(POSITIONS, int64, uint64, uint64, uint64[::1]), nogil=True, cache=True)
def list_units(positions, start, size, inner, units):
    """Set units to the number of the unit of each of consecutive elements, from element start on."""
    stride, done, span = positions[1][-1], 0, size * inner
    while done < units.size:
        position, left = locate(positions, start + done)
        count = min(left, units.size - done)
        for j in range(count):
            at = position + uint64(j) * stride
            units[done + j] = at // span * inner + at % inner if inner != uint64(1) else at // size
        done += count


@njit(nogil=True)
def select(keys, rank):
    """Return the key with `rank` smaller ones, all different, and reorder keys (Hoare 1961, Algorithm 65)."""
    low, high = 0, keys.size - 1
    while low < high:
        middle = (low + high) >> 1
        pivot = max(min(keys[low], keys[middle]), min(max(keys[low], keys[middle]), keys[high]))
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            return keys[rank]
    return keys[low]


@njit(types.void(uint32[::1], int64, int64, uint32[::1], int64[::1]), nogil=True, cache=True)
def select_thresholds(words, size, zeros, limits, lasts):
    """Find the word and the index j of the last of the `zeros` smallest draws of each unit.

    `words` has the draws of unit after unit. Equal words are in the order of j.
    """
    keys = np.empty(size, np.uint64)
    for u in range(limits.size):
        for j in range(size):
            keys[j] = uint64(words[u * size + j]) << uint64(32) | uint64(j)
        found = select(keys, zeros - 1)
        limits[u], lasts[u] = uint32(found >> uint64(32)), int64(found & LOW32)


@njit(
    types.void(
        uint32[::1],  # words of consecutive elements, from element start on
        uint64[::1],  # their units
        POSITIONS,
        int64,  # start
        types.UniTuple(uint64, 3),  # size, inner, and the logarithm of the units in a block
        uint64[::1],  # numbers of blocks, in ascending order
        uint32[:, ::1],  # limits, a row for each block
        int64[:, ::1],  # lasts
        boolean[::1],  # out: whether the element is zero
    ),
    nogil=True,
    cache=True,
)
def mark_zeros(words, units, positions, start, geometry, blocks, limits, lasts, marks):
    """Set marks to whether each element is among the smallest draws of its unit."""
    size, inner, shift = geometry
    row, mask = 0, (uint64(1) << shift) - uint64(1)
    for j in range(words.size):
        block = units[j] >> shift
        if blocks[row] != block:
            row = row + 1 if row + 1 < blocks.size else 0  # the usual one, where outputs run fastest
            row = row if blocks[row] == block else int64(np.searchsorted(blocks, block))
        unit = int64(units[j] & mask)
        marks[j] = words[j] < limits[row, unit]
        if words[j] == limits[row, unit]:
            position, _ = locate(positions, start + j)
            marks[j] = int64(position // inner % size) <= lasts[row, unit]
