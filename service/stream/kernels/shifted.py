"""Shifted: convert words to mean + factor · T, clipped to an interval. T may be a normal cut anywhere."""

import numpy as np
from numba import float64, int32, int64, njit, types, uint32, uint64

from service.stream.kernels.encode import (
    BFLOAT16,
    FLOAT32,
    FLOAT64,
    encode_bfloat16,
    encode_float16,
    encode_float32,
)
from service.stream.kernels.fill import BLOCK
from service.stream.kernels.intrinsics import HIGH, SIGN, bits64
from service.stream.kernels.transforms import (
    DISTRIBUTION_CODES,
    OFFSET_BASE,
    OFFSET_MASK,
    OFFSET_SHIFT,
    UNIFORM,
    evaluate_cubics,
    transform_table,
)

#: The code of a normal cut at any two points, beside those of the distributions.
CUT = len(DISTRIBUTION_CODES)
HALF_RANGE, WORDS, INFINITY = 2.0**31, 2.0**32, np.inf
LAST_X = HALF_RANGE - 2.0**-22  # the largest number with a row in the table
TABLES = types.Array(float64, 3, "C", readonly=True)


@njit(nogil=True)
def transform_uniform(words, y):
    """Set y to the uniform values on (-1, 1) of words, odd multiples of 2^-32."""
    for j in range(words.size):
        y[j] = (float64(int32(words[j] ^ SIGN)) + 0.5) / HALF_RANGE


@njit(nogil=True)
def transform_signed(words, table, y, index):
    """Set y to the values of words by a table. words.size is a multiple of four."""
    transform_table(words, table, y, index)
    for j in range(words.size):
        y[j] = -y[j] if words[j] & SIGN else y[j]


@njit(nogil=True)
def transform_cut(words, table, cut, y, index):
    """Set y to the values of a normal cut to [lower, upper]. words.size is a multiple of four."""
    lo, up, mass = cut[0], cut[1], cut[2]
    for j in range(words.size):
        w = float64(words[j]) + 0.5
        x = min(max(min(lo + mass * w, up + mass * (WORDS - w)), 0.5), LAST_X)
        y[j] = x
        index[j] = uint32((int32(bits64(x) >> OFFSET_SHIFT) & int32(OFFSET_MASK)) - int32(OFFSET_BASE))
    for j in range(0, words.size, 4):
        evaluate_cubics(table, index, y, j)
    for j in range(words.size):
        w = float64(words[j]) + 0.5
        y[j] = -y[j] if lo + mass * w < up + mass * (WORDS - w) else y[j]


@njit(nogil=True)
def shift(y, factor, mean, low, high):
    """Replace y by mean + factor · y, clipped to [low, high]: two roundings."""
    for j in range(y.size):
        value = mean + factor * y[j]
        # Not max and min, which leave the sign of a zero open.
        value = low if value < low else value  # noqa: FURB136
        y[j] = high if value > high else value  # noqa: FURB136


@njit(nogil=True)
def encode_signed(y, dtype_code, out):
    """Write values to out, a buffer of bytes, rounded to the dtype. They are within its range."""
    if dtype_code == FLOAT64:
        out.view(np.float64)[:] = y
    elif dtype_code == FLOAT32:
        out32 = out.view(np.uint32)
        for j in range(y.size):
            sign = uint32(uint64(bits64(y[j])) >> HIGH) & SIGN
            out32[j] = encode_float32(abs(y[j]), INFINITY, sign)
    elif dtype_code == BFLOAT16:
        out16 = out.view(np.uint16)
        for j in range(y.size):
            sign = uint32(uint64(bits64(y[j])) >> HIGH) & SIGN
            out16[j] = encode_bfloat16(abs(y[j]), INFINITY, sign)
    else:
        out16 = out.view(np.uint16)
        for j in range(y.size):
            sign = uint32(uint64(bits64(y[j])) >> HIGH) & SIGN
            out16[j] = encode_float16(abs(y[j]), INFINITY, sign)


@njit(
    types.void(
        uint32[::1],  # words; the size is a multiple of four
        int64,  # distribution code, or CUT
        TABLES,
        types.UniTuple(float64, 3),  # cut: lo, up, mass
        types.UniTuple(float64, 4),  # factor, mean, low, high
        int64,  # dtype code
        int64,  # itemsize
        types.uint8[::1],  # out, with room for as many elements as are wanted
    ),
    nogil=True,
    cache=True,
)
def convert_shifted(words, code, tables, cut, scaling, dtype_code, itemsize, out):
    """Convert words to the bytes of elements of a shifted distribution."""
    buffer, index = np.empty(BLOCK, np.float64), np.empty(BLOCK, np.uint32)
    total = out.size // itemsize
    for at in range(0, total, BLOCK):
        count = min(BLOCK, total - at)
        block, y = words[at : at + ((count + 3) & ~3)], buffer[: (count + 3) & ~3]
        if code == UNIFORM:
            transform_uniform(block, y)
        elif code == CUT:
            transform_cut(block, tables[0], cut, y, index)
        else:
            transform_signed(block, tables[code - 1], y, index)
        shift(y, scaling[0], scaling[1], scaling[2], scaling[3])
        encode_signed(y[:count], dtype_code, out[at * itemsize : (at + count) * itemsize])
