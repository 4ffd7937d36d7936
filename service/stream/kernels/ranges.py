"""Ranges: the kernel that draws the words of consecutive elements, for sources other than `fill`'s."""

import numpy as np
from numba import int64, njit, types, uint32, uint64

from service.stream.kernels.fill import BLOCK, NO_TILE, take_words
from service.stream.kernels.philox import TILE
from service.stream.kernels.positions import draw_scattered, is_dense, list_steps

KEY = uint32[::1]
POSITIONS = types.Tuple((int64[::1], uint64[::1], uint64))  # sizes, strides, offset


@njit(types.void(KEY, POSITIONS, int64, uint32[::1]), nogil=True, cache=True)
def draw_range(key, positions, start, words):
    """Fill words with the draws of consecutive elements of strided positions, from element start on."""
    tile_words, held = np.zeros(TILE + 3, np.uint32), NO_TILE
    dense, at = is_dense(positions[0], positions[1]), 0
    listed = list_steps(positions, 1 if dense else max(min(BLOCK, words.size), 1))
    while at < words.size:
        count = min(BLOCK, words.size - at)
        block = words[at : at + count]
        if dense:
            held, source = take_words(key, positions, start + at, count, tile_words, held, block)
            block[:] = source[:count]
        else:
            draw_scattered(key, positions, start + at, listed, block)
        at += count
