"""Words: the 32-bit draws of positions, by whole tiles or one by one."""

import numpy as np
from numba import int32, njit, uint32, uint64

from service.stream.kernels.bits import HIGH

TILE, LANE, HALF = 4096, 1024, 512
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)


@njit(nogil=True, inline="always")
def mix(c0, c1, c2, c3, k0, k1):
    """Return a block after one round (Salmon et al., SC'11, section 3.3)."""
    product0, product1 = M0 * uint64(c0), M1 * uint64(c2)
    return (
        uint32(product1 >> HIGH) ^ c1 ^ k0,
        uint32(product1),
        uint32(product0 >> HIGH) ^ c3 ^ k1,
        uint32(product0),
    )


@njit(nogil=True, inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Return the four words of Philox4x32-10."""
    for _ in range(10):
        c0, c1, c2, c3 = mix(c0, c1, c2, c3, k0, k1)
        k0, k1 = uint32(k0 + W0), uint32(k1 + W1)
    return c0, c1, c2, c3


@njit(nogil=True, inline="always")
def philox_twice(c0, d0, c1, c2, c3, k0, k1):
    """Return the words of two blocks that differ in c0, in step: one alone waits for its own products."""
    d1, d2, d3 = c1, c2, c3
    for _ in range(10):
        c0, c1, c2, c3 = mix(c0, c1, c2, c3, k0, k1)
        d0, d1, d2, d3 = mix(d0, d1, d2, d3, k0, k1)
        k0, k1 = uint32(k0 + W0), uint32(k1 + W1)
    return c0, c1, c2, c3, d0, d1, d2, d3


@njit(nogil=True)
def draw_tile(key, tile, words):
    """Fill words[4096] with the draws of one tile; lane by lane, so that stores are contiguous."""
    k0, k1, key2, key3 = key[0], key[1], key[2], key[3]
    low, high = uint32(tile << uint64(10)), uint32((tile << uint64(10)) >> HIGH)
    lanes = words.reshape((4, 2, HALF))
    for j in range(HALF):
        block = uint32(low + uint32(j))
        c0, c1, c2, c3, d0, d1, d2, d3 = philox_twice(
            block, uint32(block + uint32(HALF)), high, key2, key3, k0, k1
        )
        lanes[0, 0, j], lanes[1, 0, j], lanes[2, 0, j], lanes[3, 0, j] = c0, c1, c2, c3
        lanes[0, 1, j], lanes[1, 1, j], lanes[2, 1, j], lanes[3, 1, j] = d0, d1, d2, d3


@njit(nogil=True)
def draw_positions(key, positions, low, words):
    """Fill words with the draws of any positions.

    Four times the work of a tile, for each block yields four words and one is used. low is scratch: it holds
    u32 halves, since 64-bit integers in the main loop would halve the SIMD width.
    """
    k0, k1, c2, c3 = key[0], key[1], key[2], key[3]
    high, spread = uint32(positions[0] >> uint64(34)), uint64(0)
    for j in range(words.size):
        n = positions[j]
        words[j] = uint32(n)
        low[j] = uint32(((n >> uint64(12)) << uint64(10)) | (n & uint64(1023)))
        spread |= (n >> uint64(34)) ^ uint64(high)
    if spread == uint64(0):  # one high word for all, as nearly always: half of two rounds leaves the loop
        for j in range(words.size):
            words[j] = pick_lane(words[j], philox(low[j], high, c2, c3, k0, k1))
    else:
        for j in range(words.size):
            high = uint32(positions[j] >> uint64(34))
            words[j] = pick_lane(words[j], philox(low[j], high, c2, c3, k0, k1))


@njit(nogil=True)
def pick_lane(position, words):
    """Return the word of a position's lane, bits 10 and 11; by sign tests, which AVX2 has for u32."""
    upper = int32(position << uint32(20)) < int32(0)
    odd = int32(position << uint32(21)) < int32(0)
    even_word, odd_word = (words[2] if upper else words[0]), (words[3] if upper else words[1])
    return odd_word if odd else even_word
