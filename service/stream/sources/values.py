"""Values: sequences along the last axis, sinusoidal positions, and Mamba's bias of the time step.

Rows are the indices of the axis before the last one, and columns those of the last. A tensor of values is the
same along all other axes. Where nothing is drawn, the values depend on no seed.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from service.core import TENSOR_DTYPES, DtypeName, IntegerDtype, TensorDtypeName
from service.core.slices import Slices, compute_shape
from service.stream.functions import exp, expm1, log, sincos
from service.stream.kernels.ranges import draw_range
from service.stream.key import Key
from service.stream.order import StridedPositions
from service.stream.rounding import round_to
from service.stream.sources.elements import Elements, Positions, pack_positions

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
#: Positions of a sinusoidal tensor, for which sines and cosines are precise, and channels.
MAX_ROWS = MAX_CHANNELS = 1 << 20


class Rule(Protocol):
    """How values follow from rows and columns."""

    def check(self, shape: tuple[int, ...], dtype: TensorDtypeName) -> None:
        """Raise ValueError if a tensor of this shape and dtype cannot have these values."""

    def compute(self, rows: Indices, columns: Indices, shape: tuple[int, ...]) -> Array:
        """Return the value at each row and column."""


def require_float(dtype: TensorDtypeName) -> None:
    """Raise ValueError for an integer dtype."""
    if isinstance(TENSOR_DTYPES[dtype], IntegerDtype):
        message = f"dtype must be a floating-point format for these values, got {dtype}"
        raise ValueError(message)  # noqa: TRY004 - it is the value of a field


@dataclass(frozen=True, slots=True)
class Arange:
    """start + step · column. In an integer dtype both are integers, and the values exact."""

    start: float = 0
    step: float = 1

    def check(self, shape: tuple[int, ...], dtype: TensorDtypeName) -> None:
        """Raise ValueError if an integer dtype does not have all values."""
        row = TENSOR_DTYPES[dtype]
        if not isinstance(row, IntegerDtype):
            return
        if not (float(self.start).is_integer() and float(self.step).is_integer()):
            raise ValueError(f"start and step must be integers for {dtype}, got {self.start} and {self.step}")
        last = int(self.start) + int(self.step) * (shape[-1] - 1)
        if not all(row.min <= end <= row.max for end in (self.start, last)):
            raise ValueError(f"values from {self.start} to {last} are outside the range of {dtype}")

    def compute(self, _rows: Indices, columns: Indices, _shape: tuple[int, ...]) -> Array:
        """Return the values, with the product rounded, then the sum."""
        product: Array = self.step * columns.astype(np.float64)
        return self.start + product

    def count(self, columns: Indices, dtype: IntegerDtype) -> NDArray[np.generic]:
        """Return the values in an integer dtype. The check has excluded that they overflow."""
        first, step = (np.uint64(int(number) % 2**64) for number in (self.start, self.step))
        return (first + step * columns.astype(np.uint64)).astype(np.dtype(dtype.npy))


@dataclass(frozen=True, slots=True)
class LogArange:
    """The natural logarithm of column + 1: Mamba's A_log (Gu & Dao 2023, section 3.6; S4D-Real)."""

    def check(self, _shape: tuple[int, ...], dtype: TensorDtypeName) -> None:
        """Raise ValueError for an integer dtype."""
        require_float(dtype)

    def compute(self, _rows: Indices, columns: Indices, _shape: tuple[int, ...]) -> Array:
        """Return the values."""
        return log((columns + 1).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Sinusoidal:
    """Sines and cosines of row · base^(-j / d), for j below half the channels (Vaswani et al. 2017, 3.5).

    `divisor` d is "channels", half of them, or "last", one less, so that the last frequency is 1 / base.
    Sines come before the cosines, or with `interleaved` each sine before its cosine; with `cosine_first` it
    is the other way round. With a `grid` of (height, width) a row is a place in it, row-major, and one half
    of the channels encodes its column and the other its line; with `line_first` that comes first. `steps`
    "float32" rounds exponent, frequency and angle to float32, as code in that precision does.
    """

    base: float = 10000.0
    divisor: Literal["channels", "last"] = "channels"
    interleaved: bool = False
    cosine_first: bool = False
    grid: tuple[int, int] | None = None
    line_first: bool = False
    steps: Literal["float64", "float32"] = "float64"

    def check(self, shape: tuple[int, ...], dtype: TensorDtypeName) -> None:
        """Raise ValueError unless the tensor has rows, and channels in pairs, or twice two with a grid."""
        require_float(dtype)
        if not 1 <= self.base <= 1e300:
            raise ValueError(f"base must be from 1 to 1e300, got {self.base}")
        unit, least = (
            (4 if self.grid else 2),
            (2 if self.divisor == "channels" else 4) * (2 if self.grid else 1),
        )
        if len(shape) < 2 or shape[-2] > MAX_ROWS or shape[-1] > MAX_CHANNELS:
            raise ValueError(
                f"shape must have positions and channels, at most {MAX_ROWS} of each, got {shape}"
            )
        if shape[-1] % unit or shape[-1] < least:
            raise ValueError(f"channels must be a multiple of {unit}, at least {least}, got {shape[-1]}")
        if self.grid and self.grid[0] * self.grid[1] != shape[-2]:
            raise ValueError(f"positions must be those of the grid {self.grid}, got {shape[-2]}")

    def compute(self, rows: Indices, columns: Indices, shape: tuple[int, ...]) -> Array:
        """Return the values."""
        channels = shape[-1]
        if self.grid:
            channels //= 2
            is_second, columns = columns // channels, columns % channels
            line, place = np.divmod(rows, self.grid[1])
            rows = np.where((is_second == 0) == self.line_first, line, place)
        half = channels // 2
        number, kind = (columns // 2, columns % 2) if self.interleaved else (columns % half, columns // half)
        angles = rows.astype(np.float64) * self._compute_frequencies(half)[number]
        sine, cosine = sincos(round_single(angles) if self.steps == "float32" else angles)
        return np.where((kind == 0) != self.cosine_first, sine, cosine)

    def _compute_frequencies(self, half: int) -> Array:
        divisor = half if self.divisor == "channels" else half - 1
        logarithm, number = log(np.array([self.base])), np.arange(half, dtype=np.float64)
        if self.steps == "float64":
            return exp(-(number * logarithm / divisor))
        return round_single(exp(-round_single(round_single(logarithm / divisor) * number)))


def round_single(values: Array) -> Array:
    """Round numbers to float32. The product of two such numbers is exact before."""
    return values.astype(np.float32).astype(np.float64)


@dataclass(frozen=True)
class ValuesTensor(Elements):
    """A slice of a tensor of values that follow from a rule. Raises ValueError if the rule has none."""

    shape: tuple[int, ...]
    slices: Slices
    dtype: TensorDtypeName
    rule: Rule

    def __post_init__(self) -> None:
        if not self.shape:
            raise ValueError("shape must have an axis")
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
            values = self.rule.count(columns, row)
        else:
            rows = rest % self.extent[-2] + self.slices[-2].start if len(self.shape) > 1 else rest
            values = round_to(self.rule.compute(rows, columns, self.shape), self.dtype)
        out[:] = values.view(np.uint8)


@dataclass(frozen=True)
class InverseSoftplusTensor(Elements):
    """A seeded tensor, or a slice, whose softplus is log-uniform from `low` to `high`, at least `floor`.

    Mamba's bias of dt (Gu & Dao 2023, section 3.6; mamba_simple.py, dt_proj.bias). Raises ValueError for
    bounds that are out of range.
    """

    key: Key
    shape: tuple[int, ...]
    positions: StridedPositions
    dtype: DtypeName
    low: float = 0.001
    high: float = 0.1
    floor: float = 1e-4

    def __post_init__(self) -> None:
        if not 1e-300 <= self.low < self.high <= 700:
            raise ValueError(
                f"low must be from 1e-300, and less than high, up to 700, got {self.low}, {self.high}"
            )
        if not 1e-300 <= self.floor <= 700:
            raise ValueError(f"floor must be from 1e-300 to 700, got {self.floor}")

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        numbers = (float(number).hex() for number in (self.low, self.high, self.floor))
        drawn = (tuple(self.key), self.shape, tuple(self.positions), self.dtype)
        return ("inverse softplus", *drawn, *numbers)

    @cached_property
    def _positions(self) -> Positions:
        return pack_positions(self.positions)

    def _fill_chunk(self, start: int, out: NDArray[np.uint8]) -> None:
        words = np.empty(out.size // self.itemsize, np.uint32)
        draw_range(np.array(self.key, np.uint32), self._positions, start, words)
        values = compute_inverse_softplus(words, self.low, self.high, self.floor)
        out[:] = round_to(values, self.dtype).view(np.uint8)


def compute_inverse_softplus(words: NDArray[np.uint32], low: float, high: float, floor: float) -> Array:
    """Return dt + log(1 - exp(-dt)) for dt log-uniform from low to high, at least floor."""
    first, last = log(np.array([low, high]))
    uniform = (words.astype(np.float64) + 0.5) / 2.0**32
    dt = np.maximum(exp(uniform * (last - first) + first), floor)
    return dt + log(-expm1(-dt))
