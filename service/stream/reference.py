"""Stream version 1 in plain NumPy: slow and simple. The kernels must draw the same bits.

It follows docs/stream.md line by line. Positions are u64 arrays in canonical order.
"""

import numpy as np
from numpy.typing import NDArray

from service.core import LayerSpec, Parameters, require_seed
from service.core.slices import Slices, compute_shape
from service.stream.inverse_cdf import SEGMENT_BITS, load_tables
from service.stream.key import Key, derive_key
from service.stream.order import CANONICAL
from service.stream.rounding import round_to
from service.stream.tensor import compute_span

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HIGH = np.uint64(32)


def philox4x32(counter: NDArray[np.uint64], k0: int, k1: int) -> NDArray[np.uint64]:
    """Return Philox4x32-10 of counters, shape (4, n), in u64 (Salmon et al., SC'11, section 3.3)."""
    c0, c1, c2, c3 = counter
    for step in range(10):
        key0, key1 = (np.uint64((k + step * w) & 0xFFFFFFFF) for k, w in zip((k0, k1), WEYL, strict=True))
        product0, product1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> HIGH) ^ c1 ^ key0,
            product1 & LOW,
            (product0 >> HIGH) ^ c3 ^ key1,
            product0 & LOW,
        )
    return np.stack([c0, c1, c2, c3])


def draw_words(key: Key, positions: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the 32-bit draw of each position: tiles of 4096, four lanes of 1024 contiguous blocks."""
    tile, lane = positions >> np.uint64(12), (positions >> np.uint64(10)) & np.uint64(3)
    block = tile * np.uint64(1024) + (positions & np.uint64(1023))
    high = [np.full_like(block, word) for word in (key.c2, key.c3)]
    words = philox4x32(np.stack([block & LOW, block >> HIGH, *high]), key.k0, key.k1)
    drawn: NDArray[np.uint32] = words[lane.astype(np.intp), np.arange(positions.size)].astype(np.uint32)
    return drawn


def transform_uniform(words: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return each draw as a uniform value on (-1, 1), an odd multiple of 2^-32."""
    return (2.0 * words.astype(np.float64) + 1.0 - 2.0**32) / 2.0**32


def transform_table(words: NDArray[np.uint32], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse CDF by table: the top bit is the sign, the low 31 bits m give x = m + 1/2."""
    x = (words & np.uint32(0x7FFFFFFF)).astype(np.float64) + 0.5
    index = (x.view(np.int64) >> (52 - SEGMENT_BITS)) - (1022 << SEGMENT_BITS)
    c0, c1, c2, c3 = table[index].T
    magnitude = c0 + x * (c1 + x * (c2 + x * c3))
    signed: NDArray[np.float64] = np.where(words >> np.uint32(31), -magnitude, magnitude)
    return signed


def transform(words: NDArray[np.uint32], distribution: str) -> NDArray[np.float64]:
    """Return each draw as a value of the standard distribution, with limit 1 or variance 1."""
    if distribution == "uniform":
        return transform_uniform(words)
    return transform_table(words, load_tables()[("normal", "truncated_normal").index(distribution)])


def draw(
    key: Key, positions: NDArray[np.uint64], distribution: str, dtype: str, factor: float, bound: float
) -> NDArray[np.generic]:
    """Return round_dtype(min(|factor * T|, bound)) with T's sign, for each position."""
    product = factor * transform(draw_words(key, positions), distribution)
    return round_to(np.clip(product, -bound, bound), dtype)


def number_positions(shape: tuple[int, ...], layout: str, slices: Slices) -> NDArray[np.uint64]:
    """Return the canonical position of each element, in the shape of the slices."""
    indices = np.meshgrid(
        *(np.arange(axis.start, axis.stop, dtype=np.uint64) for axis in slices), indexing="ij"
    )
    positions = np.zeros(compute_shape(slices), np.uint64)
    for letter in CANONICAL:
        for axis in (axis for axis, of_axis in enumerate(layout) if of_axis == letter):
            positions = positions * np.uint64(shape[axis]) + indices[axis]
    return positions


def draw_slices(spec: LayerSpec, parameters: Parameters, slices: Slices) -> NDArray[np.generic]:
    """Return a slice of the tensor that a spec describes, in memory order."""
    positions = number_positions(parameters.shape, parameters.layout, slices)
    key, (factor, bound) = derive_key(require_seed(spec), spec.name), compute_span(parameters)
    drawn = draw(key, positions.ravel(), parameters.distribution or "normal", parameters.dtype, factor, bound)
    return drawn.reshape(positions.shape)
