"""Encoding: convert magnitudes to a dtype, with the sign bits of the words."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float32, float64, int32, njit, uint16, uint32, uint64

from service.core import DTYPES, DtypeName
from service.stream.kernels.intrinsics import HIGH, MAGNITUDE, SIGN, bits32, bits64

DTYPE_CODES: dict[DtypeName, int] = {row.name: row.code for row in DTYPES.values()}
FLOAT64, FLOAT32, BFLOAT16 = DTYPE_CODES["float64"], DTYPE_CODES["float32"], DTYPE_CODES["bfloat16"]


@njit(nogil=True, inline="always")
def encode_float64(size, bound, sign):
    """Return the bits of a magnitude as float64, clipped to the bound, with a sign bit."""
    return uint64(bits64(min(size, bound))) | uint64(sign) << HIGH


@njit(nogil=True, inline="always")
def round_once(size, bound):
    """Return the bits of a magnitude rounded to float32 and clipped to the bound, also a float32."""
    return bits32(min(float32(size), float32(bound)))


@njit(nogil=True, inline="always")
def encode_float32(size, bound, sign):
    """Return the bits of a magnitude as float32, clipped to the bound, with a sign bit."""
    return round_once(size, bound) | sign


@njit(nogil=True, inline="always")
def encode_bfloat16(size, bound, sign):
    """Return the bits of a magnitude rounded to float32, then to bfloat16, ties to even."""
    bits = round_once(size, bound)
    last = uint32(uint32(bits >> uint32(16)) & uint32(1))
    rounded = uint32(uint32(bits + uint32(0x7FFF)) + last)
    return uint16((rounded | sign) >> uint32(16))


@njit(nogil=True, inline="always")
def encode_float16(size, bound, sign):
    """Return the bits of a magnitude rounded to float32, then to binary16, ties to even.

    In integer arithmetic, because not every CPU has F16C.

    For a normal result the exponent bias changes from 127 to 15 and 13 fraction bits are dropped. A subnormal
    result is rounded by adding 1/2, whose last fraction bit has the weight of binary16's smallest
    subnormal, 2^-24.
    """
    single = min(float32(size), float32(bound))
    bits = bits32(single)
    last = uint32(uint32(bits >> uint32(13)) & uint32(1))
    normal = uint32(uint32(uint32(bits - uint32((112 << 23) - 0xFFF)) + last) >> uint32(13))
    subnormal = uint32(bits32(single + float32(0.5)) - uint32(0x3F000000))
    rounded = subnormal if int32(bits) < int32(113 << 23) else normal
    return uint16(rounded | (sign >> uint32(16)))


def make_encode(measure: Callable[..., Any], flip: np.uint32) -> Any:
    """Make the kernel that encodes the magnitudes `measure(words[j], y, j)`. `flip` inverts the sign bits."""

    @njit(nogil=True)
    def encode(dtype_code, words, y, factor, bound, out):
        """Write magnitude · factor, rounded to the dtype, for each word to out, a buffer of bytes."""
        if dtype_code == FLOAT32:
            out32 = out.view(np.uint32)
            for j in range(out32.size):
                sign = (words[j] ^ flip) & SIGN
                out32[j] = encode_float32(measure(words[j], y, j) * factor, bound, sign)
        elif dtype_code == FLOAT64:
            out64 = out.view(np.uint64)
            for j in range(out64.size):
                sign = (words[j] ^ flip) & SIGN
                out64[j] = encode_float64(measure(words[j], y, j) * factor, bound, sign)
        elif dtype_code == BFLOAT16:
            out16 = out.view(np.uint16)
            for j in range(out16.size):
                sign = (words[j] ^ flip) & SIGN
                out16[j] = encode_bfloat16(measure(words[j], y, j) * factor, bound, sign)
        else:
            out16 = out.view(np.uint16)
            for j in range(out16.size):
                sign = (words[j] ^ flip) & SIGN
                out16[j] = encode_float16(measure(words[j], y, j) * factor, bound, sign)

    return encode


@njit(nogil=True, inline="always")
def measure_uniform(word, _y, _j):
    """Return 2^31 times the magnitude of a uniform draw, an odd multiple of 2^-32."""
    upper_half = int32(word) >> int32(31)
    return float64(int32((word ^ ~uint32(upper_half)) & MAGNITUDE)) + 0.5


@njit(nogil=True, inline="always")
def measure_tabled(_word, y, j):
    """Return the magnitude that transform_table computed."""
    return y[j]


encode_uniform = make_encode(measure_uniform, SIGN)
encode_tabled = make_encode(measure_tabled, np.uint32(0))
