"""Values: sequences along the last axis, sinusoidal positions, and Mamba's bias of the time step.

Rows are the indices of the axis before the last one, and columns those of the last. A tensor of values is the
same along all other axes. Where nothing is drawn, the values depend on no seed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.core import TENSOR_DTYPES, DtypeName, IntegerDtype, TensorDtypeName
from service.core.errors import make_spec_error
from service.core.models.values import Arange, InverseSoftplus, Rule, Sinusoidal
from service.core.slices import Slices, compute_shape
from service.stream.functions import exp, expm1, log, sincos
from service.stream.kernels.ranges import draw_range
from service.stream.key import Key
from service.stream.order import StridedPositions
from service.stream.rounding import round_to
from service.stream.sources.elements import Elements, Positions, pack_positions

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def count_integers(rule: Arange, columns: Indices, dtype: IntegerDtype) -> NDArray[np.generic]:
    """Return the values of a range in an integer dtype, which has all of them."""
    first, step = (np.uint64(int(number) % 2**64) for number in (rule.start, rule.step))
    return (first + step * columns.astype(np.uint64)).astype(np.dtype(dtype.npy))


def compute(rule: Rule, rows: Indices, columns: Indices, shape: tuple[int, ...]) -> Array:
    """Return the value at each row and column."""
    if isinstance(rule, Arange):
        product: Array = rule.step * columns.astype(np.float64)
        return rule.start + product
    if isinstance(rule, Sinusoidal):
        return compute_sinusoidal(rule, rows, columns, shape[-1])
    return log((columns + 1).astype(np.float64))


def compute_sinusoidal(rule: Sinusoidal, rows: Indices, columns: Indices, channels: int) -> Array:
    """Return the sine or cosine at each row and column."""
    if rule.grid:
        channels //= 2
        is_second, columns = columns // channels, columns % channels
        line, place = np.divmod(rows, rule.grid[1])
        rows = np.where((is_second == 0) == rule.line_first, line, place)
    half = channels // 2
    number, kind = (columns // 2, columns % 2) if rule.interleaved else (columns % half, columns // half)
    angles = rows.astype(np.float64) * compute_frequencies(rule, half)[number]
    sine, cosine = sincos(round_single(angles) if rule.steps == "float32" else angles)
    return np.where((kind == 0) != rule.cosine_first, sine, cosine)


def compute_frequencies(rule: Sinusoidal, half: int) -> Array:
    """Return the frequency of each pair of channels."""
    divisor = half if rule.divisor == "channels" else half - 1
    logarithm, number = log(np.array([rule.base])), np.arange(half, dtype=np.float64)
    if rule.steps == "float64":
        return exp(-(number * logarithm / divisor))
    return round_single(exp(-round_single(round_single(logarithm / divisor) * number)))


def round_single(values: Array) -> Array:
    """Round numbers to float32. The product of two such numbers is exact before."""
    return values.astype(np.float32).astype(np.float64)


@dataclass(frozen=True)
class ValuesTensor(Elements):
    """A slice of a tensor of values that follow from a rule. Raises SpecError if the rule has none."""

    shape: tuple[int, ...]
    slices: Slices
    dtype: TensorDtypeName
    rule: Rule

    def __post_init__(self) -> None:
        if not self.shape:
            raise make_spec_error("shape", "must have an axis for these values", self.shape)
        self.rule.check(self.shape, self.dtype)

    @property
    def extent(self) -> tuple[int, ...]:
        """The shape of the slice."""
        return compute_shape(self.slices)

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        place = (self.shape, tuple((axis.start, axis.stop) for axis in self.slices), self.dtype)
        return ("values", *place, repr(self.rule))

    def _fill_chunk(self, start: int, out: NDArray[np.uint8]) -> None:
        rest, columns = np.divmod(np.arange(start, start + out.size // self.itemsize), self.extent[-1])
        columns += self.slices[-1].start
        row = TENSOR_DTYPES[self.dtype]
        if isinstance(row, IntegerDtype) and isinstance(self.rule, Arange):
            values = count_integers(self.rule, columns, row)
        else:
            rows = rest % self.extent[-2] + self.slices[-2].start if len(self.shape) > 1 else rest
            values = round_to(compute(self.rule, rows, columns, self.shape), self.dtype)
        out[:] = values.view(np.uint8)


MAMBA = InverseSoftplus()


@dataclass(frozen=True)
class InverseSoftplusTensor(Elements):
    """A seeded tensor, or a slice, whose softplus is log-uniform between the bounds of a rule."""

    key: Key
    shape: tuple[int, ...]
    positions: StridedPositions
    dtype: DtypeName
    rule: InverseSoftplus = MAMBA

    def __post_init__(self) -> None:
        self.rule.check(self.shape, self.dtype)

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        numbers = (float(number).hex() for number in (self.rule.low, self.rule.high, self.rule.floor))
        drawn = (tuple(self.key), self.shape, tuple(self.positions), self.dtype)
        return ("inverse softplus", *drawn, *numbers)

    @cached_property
    def _positions(self) -> Positions:
        return pack_positions(self.positions)

    def _fill_chunk(self, start: int, out: NDArray[np.uint8]) -> None:
        words = np.empty(out.size // self.itemsize, np.uint32)
        draw_range(np.array(self.key, np.uint32), self._positions, start, words)
        values = compute_inverse_softplus(words, self.rule.low, self.rule.high, self.rule.floor)
        out[:] = round_to(values, self.dtype).view(np.uint8)


def compute_inverse_softplus(words: NDArray[np.uint32], low: float, high: float, floor: float) -> Array:
    """Return dt + log(1 - exp(-dt)) for dt log-uniform from low to high, at least floor."""
    first, last = log(np.array([low, high]))
    uniform = (words.astype(np.float64) + 0.5) / 2.0**32
    dt = np.maximum(exp(uniform * (last - first) + first), floor)
    return dt + log(-expm1(-dt))
