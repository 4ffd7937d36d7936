"""Stores: from words and magnitudes to a dtype's elements, each with its word's sign."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float32, float64, int32, njit, uint16, uint32, uint64

from service.core import DtypeName
from service.stream.kernels.intrinsics import HIGH, MAGNITUDE, SIGN, bits32, bits64

FORMS: dict[DtypeName, int] = {"float64": 0, "float32": 1, "float16": 2, "bfloat16": 3}
FLOAT64, FLOAT32, BFLOAT16 = FORMS["float64"], FORMS["float32"], FORMS["bfloat16"]


@njit(nogil=True, inline="always")
def encode_float64(size, bound, sign):
    """Return the bits of a magnitude as it is, held at the bound."""
    return uint64(bits64(min(size, bound))) | uint64(sign) << HIGH


@njit(nogil=True, inline="always")
def round_once(size, bound):
    """Return the bits of the float32, held at the bound, which is one itself: either may come first."""
    return bits32(min(float32(size), float32(bound)))


@njit(nogil=True, inline="always")
def encode_float32(size, bound, sign):
    """Return the bits of a magnitude rounded once."""
    return round_once(size, bound) | sign


@njit(nogil=True, inline="always")
def encode_bfloat16(size, bound, sign):
    """Return the float32 rounded to its upper half, ties to even."""
    bits = round_once(size, bound)
    last = uint32(uint32(bits >> uint32(16)) & uint32(1))
    rounded = uint32(uint32(bits + uint32(0x7FFF)) + last)
    return uint16((rounded | sign) >> uint32(16))


@njit(nogil=True, inline="always")
def encode_float16(size, bound, sign):
    """Return the float32 rounded to binary16, ties to even, by integer arithmetic: not every CPU has F16C.

    A normal result drops 13 mantissa bits after the exponent's bias went from 127 to 15. A subnormal one is
    rounded by adding 1/2, whose last mantissa bit has just the weight of binary16's smallest step, 2^-24.
    """
    single = min(float32(size), float32(bound))
    bits = bits32(single)
    last = uint32(uint32(bits >> uint32(13)) & uint32(1))
    normal = uint32(uint32(uint32(bits - uint32((112 << 23) - 0xFFF)) + last) >> uint32(13))
    subnormal = uint32(bits32(single + float32(0.5)) - uint32(0x3F000000))
    rounded = subnormal if int32(bits) < int32(113 << 23) else normal
    return uint16(rounded | (sign >> uint32(16)))


def make_store(measure: Callable[..., Any], flip: np.uint32) -> Any:
    """Make the store of magnitudes that measure(words[j], y[j]) finds; flip tells which sign a word has."""

    @njit(nogil=True)
    def store(form, words, y, factor, bound, out):
        """Write the elements of words to out, which holds bytes: the products, rounded."""
        if form == FLOAT32:
            out32 = out.view(np.uint32)
            for j in range(out32.size):
                sign = (words[j] ^ flip) & SIGN
                out32[j] = encode_float32(measure(words[j], y, j) * factor, bound, sign)
        elif form == FLOAT64:
            out64 = out.view(np.uint64)
            for j in range(out64.size):
                sign = (words[j] ^ flip) & SIGN
                out64[j] = encode_float64(measure(words[j], y, j) * factor, bound, sign)
        elif form == BFLOAT16:
            out16 = out.view(np.uint16)
            for j in range(out16.size):
                sign = (words[j] ^ flip) & SIGN
                out16[j] = encode_bfloat16(measure(words[j], y, j) * factor, bound, sign)
        else:
            out16 = out.view(np.uint16)
            for j in range(out16.size):
                sign = (words[j] ^ flip) & SIGN
                out16[j] = encode_float16(measure(words[j], y, j) * factor, bound, sign)

    return store


@njit(nogil=True, inline="always")
def measure_uniform(word, _y, _j):
    """Return 2^31 times the magnitude of the odd multiple of 2^-32, which falls over half the words."""
    upper_half = int32(word) >> int32(31)
    return float64(int32((word ^ ~uint32(upper_half)) & MAGNITUDE)) + 0.5


@njit(nogil=True, inline="always")
def measure_tabled(_word, y, j):
    """Return the magnitude that the table gave."""
    return y[j]


store_uniform = make_store(measure_uniform, SIGN)
store_tabled = make_store(measure_tabled, np.uint32(0))
