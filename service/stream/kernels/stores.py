"""Stores: from magnitudes to a dtype's elements, each with its word's sign, flipped where flip says so."""

from numba import float32, int32, int64, njit, uint16, uint32, uint64

from service.core import DtypeName
from service.stream.kernels.bits import HIGH, SIGN, bits32, bits64

FORMS: dict[DtypeName, int] = {"float64": 0, "float32": 1, "float16": 2, "bfloat16": 3}
FLOAT64, FLOAT32, BFLOAT16 = FORMS["float64"], FORMS["float32"], FORMS["bfloat16"]


@njit(nogil=True, inline="always")
def scale(y, factor, bound):
    """Return the product, held at the bound."""
    return min(y * factor, bound)


@njit(nogil=True)
def store_float64(words, flip, y, factor, bound, out):
    """Write the products as they are, each with its word's sign."""
    for j in range(out.size):
        sign = uint64((words[j] ^ flip) & SIGN) << HIGH
        out[j] = bits64(scale(y[j], factor, bound)) | int64(sign)


@njit(nogil=True)
def store_float32(words, flip, y, factor, bound, out):
    """Write the products rounded once."""
    for j in range(out.size):
        out[j] = bits32(float32(scale(y[j], factor, bound))) | ((words[j] ^ flip) & SIGN)


@njit(nogil=True)
def store_bfloat16(words, flip, y, factor, bound, out):
    """Write the float32 rounded to its upper half, ties to even."""
    for j in range(out.size):
        bits = bits32(float32(scale(y[j], factor, bound)))
        last = uint32(uint32(bits >> uint32(16)) & uint32(1))
        rounded = uint32(uint32(bits + uint32(0x7FFF)) + last)
        out[j] = uint16((rounded | ((words[j] ^ flip) & SIGN)) >> uint32(16))


@njit(nogil=True)
def store_float16(words, flip, y, factor, bound, out):
    """Write the float32 rounded to binary16, ties to even, by integer arithmetic: not every CPU has F16C.

    A normal result drops 13 mantissa bits after the exponent's bias went from 127 to 15. A subnormal one is
    rounded by adding 1/2, whose last mantissa bit has just the weight of binary16's smallest step, 2^-24.
    """
    for j in range(out.size):
        size = float32(scale(y[j], factor, bound))
        bits = bits32(size)
        last = uint32(uint32(bits >> uint32(13)) & uint32(1))
        normal = uint32(uint32(uint32(bits - uint32((112 << 23) - 0xFFF)) + last) >> uint32(13))
        subnormal = uint32(bits32(size + float32(0.5)) - uint32(0x3F000000))
        rounded = subnormal if int32(bits) < int32(113 << 23) else normal
        sign = uint32((words[j] ^ flip) & SIGN)
        out[j] = uint16(rounded | (sign >> uint32(16)))
