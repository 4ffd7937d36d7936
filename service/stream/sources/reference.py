"""The sources in plain NumPy: slow and simple. They must write the same bits.

It follows docs/stream.md from section 9 on. Positions are u64 arrays in canonical order.
"""

import math

import numpy as np
from numpy.typing import NDArray

from service.core import DistributionName
from service.core.slices import select_all
from service.stream.inverse_cdf import load_tables
from service.stream.key import Key
from service.stream.reference import draw_words, number_positions, transform
from service.stream.rounding import round_to

HALF_RANGE, LAST_X = 2.0**31, 2.0**31 - 2.0**-22


def evaluate_table(x: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic of the row of each x, by Horner's rule."""
    c0, c1, c2, c3 = table[(x.view(np.int64) >> 47) - (1022 << 5)].T
    values: NDArray[np.float64] = c0 + x * (c1 + x * (c2 + x * c3))
    return values


def transform_cut(words: NDArray[np.uint32], cut: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return each draw as a unit normal truncated to the interval whose lo, up and mass are given."""
    lo, up, mass = cut
    w = words.astype(np.float64) + 0.5
    below, above = lo + mass * w, up + mass * (2.0**32 - w)
    x = np.minimum(np.maximum(np.minimum(below, above), 0.5), LAST_X)
    size = evaluate_table(x, load_tables()[0])
    signed: NDArray[np.float64] = np.where(below < above, -size, size)
    return signed


def draw_shifted(
    key: Key,
    positions: NDArray[np.uint64],
    distribution: DistributionName | tuple[float, float, float],
    dtype: str,
    scaling: tuple[float, float, float, float],
) -> NDArray[np.generic]:
    """Return round_dtype(clip(mean + factor · T, low, high)) for each position.

    `distribution` may be a cut: its lo, up and mass. `scaling` has factor, mean, low and high.
    """
    words, (factor, mean, low, high) = draw_words(key, positions), scaling
    if isinstance(distribution, tuple):
        drawn = transform_cut(words, distribution)
    else:
        drawn = transform(words, distribution)
    value = mean + factor * drawn
    value = np.where(value < low, low, value)
    return round_to(np.where(value > high, high, value), dtype)


def find_zeros(
    key: Key, shape: tuple[int, ...], layout: str, sparsity: float, axis: str = "I"
) -> NDArray[np.bool_]:
    """Return whether each element of a sparse tensor is zero, in its shape. The key is the mask's."""
    positions = number_positions(shape, layout, select_all(shape))
    lengths = [(length, letter) for length, letter in zip(shape, layout, strict=True)]
    outputs, inputs = (math.prod(n for n, letter in lengths if letter in axes) for axes in ("O", "IDHW"))
    flat = np.sort(positions.ravel()).reshape(-1, outputs, inputs)  # stacks, outputs, inputs
    units = flat if axis == "I" else flat.swapaxes(1, 2)
    words = draw_words(key, units.ravel()).reshape(units.shape)
    ranks = words.argsort(axis=-1, kind="stable").argsort(axis=-1)
    zeros = np.zeros(positions.size, np.bool_)
    zeros[units.ravel()] = (ranks < math.ceil(sparsity * units.shape[-1])).ravel()
    return zeros[positions]


def make_identity(
    shape: tuple[int, ...], layout: str, gain: float, groups: int = 1, center: str = "same"
) -> NDArray[np.float64]:
    """Return an identity tensor: gain at the centre where the output, within its group, is the input."""
    indices, numbers = np.indices(shape), {"O": np.zeros(shape, np.int64), "I": np.zeros(shape, np.int64)}
    is_there, outputs = np.ones(shape, np.bool_), 1
    for letter, length, index in zip(layout, shape, indices, strict=True):
        if letter in "DHW":
            is_there &= index == (length // 2 if center == "torch" else (length - 1) // 2)
        elif letter in "OI":
            numbers[letter] = numbers[letter] * length + index
            outputs *= length if letter == "O" else 1
    return np.where(is_there & (numbers["O"] % (outputs // groups) == numbers["I"]), gain, 0.0)
