"""Philox4x32-10: compute the 32-bit draws of whole tiles or of single positions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, uint32, uint64

from service.stream.kernels.intrinsics import HIGH

TILE, LANE, HALF = 4096, 1024, 512
M0, M1, LOW = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57), np.uint64(0xFFFFFFFF)
W0, W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)


@njit(nogil=True, inline="always")
def mix(c0, c1, c2, c3, k0, k1):
    """Return a block after one round (Salmon et al., SC'11, section 3.3)."""
    product0, product1 = M0 * (c0 & LOW), M1 * (c2 & LOW)
    return (product1 >> HIGH) ^ c1 ^ uint64(k0), product1, (product0 >> HIGH) ^ c3 ^ uint64(k1), product0


@njit(nogil=True, inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Return the four words of Philox4x32-10, each in the low half of a u64 whose high half is undefined."""
    for _ in range(10):
        c0, c1, c2, c3 = mix(c0, c1, c2, c3, k0, k1)
        k0, k1 = uint32(k0 + W0), uint32(k1 + W1)
    return c0, c1, c2, c3


@njit(nogil=True, inline="always")
def philox_twice(c0, d0, c1, c2, c3, k0, k1):
    """Return the words of two blocks that differ in c0, interleaved to hide the latency of the products."""
    d1, d2, d3 = c1, c2, c3
    for _ in range(10):
        c0, c1, c2, c3 = mix(c0, c1, c2, c3, k0, k1)
        d0, d1, d2, d3 = mix(d0, d1, d2, d3, k0, k1)
        k0, k1 = uint32(k0 + W0), uint32(k1 + W1)
    return c0, c1, c2, c3, d0, d1, d2, d3


@njit(nogil=True)
def draw_tile(key, tile, words):
    """Fill words, shape (4096,), with the draws of one tile, lane by lane so that stores are contiguous."""
    k0, k1, key2, key3 = key[0], key[1], uint64(key[2]), uint64(key[3])
    first = tile << uint64(10)
    lanes, high = words.reshape((4, 2, HALF)), first >> HIGH
    for j in range(HALF):
        block = first + uint64(j)
        c0, c1, c2, c3, d0, d1, d2, d3 = philox_twice(block, block + uint64(HALF), high, key2, key3, k0, k1)
        lanes[0, 0, j], lanes[1, 0, j] = uint32(c0), uint32(c1)
        lanes[2, 0, j], lanes[3, 0, j] = uint32(c2), uint32(c3)
        lanes[0, 1, j], lanes[1, 1, j] = uint32(d0), uint32(d1)
        lanes[2, 1, j], lanes[3, 1, j] = uint32(d2), uint32(d3)


def make_draw(pick: Callable[..., Any]) -> Any:
    """Make a kernel that draws single positions; `pick(position, *words)` selects one word of a block."""

    @njit(nogil=True)
    def draw(key, position, steps, words):
        """Fill words with the draws at steps from a position, all with the same high word of the counter."""
        k0, k1, c2, c3 = key[0], key[1], uint64(key[2]), uint64(key[3])
        high, half = position >> uint64(34), (steps.size + 1) // 2
        upper_steps, upper_words = steps[steps.size - half :], words[steps.size - half :]
        for j in range(half):
            n, m = position + uint64(steps[j]), position + uint64(upper_steps[j])
            w0, w1, w2, w3, x0, x1, x2, x3 = philox_twice(to_block(n), to_block(m), high, c2, c3, k0, k1)
            words[j] = uint32(pick(n, w0, w1, w2, w3))
            upper_words[j] = uint32(pick(m, x0, x1, x2, x3))

    return draw


@njit(nogil=True, inline="always")
def to_block(position):
    """Return the number of a position's block."""
    return (position >> uint64(2)) & ~uint64(1023) | position & uint64(1023)


@njit(nogil=True, inline="always")
def pick_lane(position, w0, w1, w2, w3):
    """Return the word of a position's lane, its bits 10 and 11, by masks, which LLVM vectorizes."""
    odd, upper = -(position >> uint64(10) & uint64(1)), -(position >> uint64(11) & uint64(1))
    even_word, odd_word = w0 ^ ((w0 ^ w2) & upper), w1 ^ ((w1 ^ w3) & upper)
    return even_word ^ ((even_word ^ odd_word) & odd)


draw_any_lane = make_draw(pick_lane)
# With a constant lane, LLVM removes the selection and the last round of the other lanes.
draw_lane0 = make_draw(njit(inline="always")(lambda _n, word, _1, _2, _3: word))
draw_lane1 = make_draw(njit(inline="always")(lambda _n, _0, word, _2, _3: word))
draw_lane2 = make_draw(njit(inline="always")(lambda _n, _0, _1, word, _3: word))
draw_lane3 = make_draw(njit(inline="always")(lambda _n, _0, _1, _2, word: word))


@njit(nogil=True)
def draw_steps(key, position, steps, last, reach, words):
    """Fill words with the draws at steps from a position.

    No step is larger than `last`, nor larger than `reach` modulo a tile. This costs four times as much per
    draw as a tile, since one of the four words of each block is used.
    """
    lane = position >> uint64(10) & uint64(3)
    if (position + last) >> uint64(34) != position >> uint64(34):  # the high word changes: rare
        alone = np.zeros(1, np.uint32)
        for j in range(steps.size):
            draw_any_lane(key, position + uint64(steps[j]), alone, words[j : j + 1])
    elif (position & uint64(LANE - 1)) + reach >= uint64(LANE):
        draw_any_lane(key, position, steps, words)
    elif lane == uint64(0):
        draw_lane0(key, position, steps, words)
    elif lane == uint64(1):
        draw_lane1(key, position, steps, words)
    elif lane == uint64(2):
        draw_lane2(key, position, steps, words)
    else:
        draw_lane3(key, position, steps, words)
