"""The sources in plain NumPy: slow and simple. They must write the same bits.

It follows docs/stream.md from section 7 on. Positions are u64 arrays in canonical order.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.core import DTYPES, DistributionName, LayerSpec, Parameters, SchemeName, require_seed
from service.core.cut import compute_cut, round_interval
from service.core.slices import Slices, compute_shape, select_all
from service.stream.inverse_cdf import load_tables
from service.stream.key import Key, derive_key
from service.stream.orthogonal import OrthogonalTensor
from service.stream.reference import draw_slices, draw_words, number_positions, transform
from service.stream.reference_orthogonal import draw_tensor
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
    shape: tuple[int, ...],
    layout: str,
    gain: float,
    groups: int = 1,
    center: str = "same",
    slices: Slices | None = None,
) -> NDArray[np.float64]:
    """Return a slice of an identity tensor: gain at the center where the output of a group is the input."""
    slices = slices or select_all(shape)
    indices = np.meshgrid(*(np.arange(axis.start, axis.stop) for axis in slices), indexing="ij")
    numbers = {letter: np.zeros(compute_shape(slices), np.int64) for letter in "OI"}
    is_there, outputs = np.ones(compute_shape(slices), np.bool_), 1
    for letter, length, index in zip(layout, shape, indices, strict=True):
        if letter in "DHW":
            is_there &= index == (length // 2 if center == "torch" else (length - 1) // 2)
        elif letter in "OI":
            numbers[letter] = numbers[letter] * length + index
            outputs *= length if letter == "O" else 1
    return np.where(is_there & (numbers["O"] % (outputs // groups) == numbers["I"]), gain, 0.0)


def _draw_elements(spec: LayerSpec, parameters: Parameters, slices: Slices) -> NDArray[np.generic]:
    ends = parameters.lower, parameters.upper
    is_cut = parameters.distribution == "truncated_normal" and ends != (-2.0, 2.0)
    if not is_cut and not parameters.mean and spec.low is None:
        return draw_slices(spec, parameters, slices)
    factor = parameters.limit if parameters.distribution == "uniform" else parameters.stddev
    kind: DistributionName | tuple[float, float, float] = parameters.distribution or "normal"
    if is_cut:
        factor, kind = parameters.parent_stddev or 0.0, compute_cut(ends[0] or 0.0, ends[1] or 0.0)[:3]
    largest = DTYPES[spec.dtype].max
    held: tuple[float, float] | None = (-largest, largest)
    if parameters.low is not None and parameters.high is not None:
        held = round_interval(parameters.low, parameters.high, spec.dtype, above_low=spec.low is None)
    positions = number_positions(parameters.shape, parameters.layout, slices)
    scaling = (factor, parameters.mean, *(held or (0.0, 0.0)))
    key = derive_key(require_seed(spec), spec.name)
    return draw_shifted(key, positions.ravel(), kind, spec.dtype, scaling).reshape(positions.shape)


def _draw_sparse(spec: LayerSpec, parameters: Parameters, slices: Slices) -> NDArray[np.generic]:
    seed, sparsity = require_seed(spec), spec.sparsity or 0.0
    mask_key = derive_key(seed, spec.name, domain=b"weightinit sparse")
    zeros = find_zeros(mask_key, spec.shape, parameters.layout, sparsity, spec.sparsity_axis)
    positions, largest = number_positions(spec.shape, parameters.layout, slices), DTYPES[spec.dtype].max
    scaling = (spec.stddev or 0.0, 0.0, -largest, largest)
    drawn = draw_shifted(derive_key(seed, spec.name), positions.ravel(), "normal", spec.dtype, scaling)
    drawn = drawn.reshape(positions.shape).copy()
    drawn[zeros[slices]] = 0
    return drawn


def _draw_identity(spec: LayerSpec, parameters: Parameters, slices: Slices) -> NDArray[np.generic]:
    values = make_identity(spec.shape, parameters.layout, parameters.gain, spec.groups, spec.center, slices)
    return round_to(values, spec.dtype)


def _draw_orthogonal(spec: LayerSpec, parameters: Parameters, slices: Slices) -> NDArray[np.generic]:
    center = spec.center if parameters.scheme == "delta_orthogonal" else None
    key, where = derive_key(require_seed(spec), spec.name), (spec.shape, parameters.layout, slices)
    return draw_tensor(OrthogonalTensor(key, *where, spec.dtype, parameters.gain, center))


def _draw_constant(spec: LayerSpec, parameters: Parameters, slices: Slices) -> NDArray[np.generic]:
    return round_to(np.full(compute_shape(slices), parameters.mean), spec.dtype)


DRAWS: dict[SchemeName, Callable[[LayerSpec, Parameters, Slices], NDArray[np.generic]]] = {
    "sparse": _draw_sparse,
    "identity": _draw_identity,
    "dirac": _draw_identity,
    "orthogonal": _draw_orthogonal,
    "delta_orthogonal": _draw_orthogonal,
    "constant": _draw_constant,
    "zeros": _draw_constant,
    "ones": _draw_constant,
}


def draw_spec(spec: LayerSpec, parameters: Parameters, slices: Slices) -> NDArray[np.generic]:
    """Return a slice of the tensor of a spec of any scheme, in memory order. bfloat16 is its bits."""
    return DRAWS.get(parameters.scheme, _draw_elements)(spec, parameters, slices)
