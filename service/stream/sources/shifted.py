"""Shifted tensors: a distribution with a mean, in an interval, or a normal cut at any two points."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.core import DistributionName, DtypeName
from service.stream import kernels
from service.stream.inverse_cdf import load_tables
from service.stream.kernels.ranges import draw_range
from service.stream.kernels.shifted import CUT, convert_shifted
from service.stream.key import Key
from service.stream.order import StridedPositions
from service.stream.sources.elements import Elements, pack_positions

TABLES = load_tables()


@dataclass(frozen=True)
class ShiftedTensor(Elements):
    """A seeded tensor or a slice of it, with values clip(mean + factor · T, low, high).

    T has limit 1 (uniform) or variance 1 (normal, truncated_normal). With a `cut`, the lo, up and mass of
    `compute_cut`, T is a unit normal truncated to its interval, and `distribution` is truncated_normal.
    `low` and `high` are values of the dtype. Elements are numbered row-major, in the order of the layout.
    """

    key: Key
    shape: tuple[int, ...]
    positions: StridedPositions
    distribution: DistributionName
    dtype: DtypeName
    factor: float
    mean: float
    low: float
    high: float
    cut: tuple[float, float, float] | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        numbers = (self.factor, self.mean, self.low, self.high, *(self.cut or ()))
        kind = self.distribution if self.cut is None else "cut"
        drawn = (tuple(self.key), self.shape, tuple(self.positions), self.dtype)
        return ("shifted", *drawn, kind, *(float(number).hex() for number in numbers))

    @cached_property
    def _key(self) -> NDArray[np.uint32]:
        return np.array(self.key, np.uint32)

    @cached_property
    def _positions(self) -> tuple[NDArray[np.int64], NDArray[np.uint64], int]:
        return pack_positions(self.positions)

    def _fill_chunk(self, start: int, out: NDArray[np.uint8]) -> None:
        count = out.size // self.itemsize
        words = np.zeros((count + 3) & ~3, np.uint32)
        draw_range(self._key, self._positions, start, words[:count])
        convert_shifted(
            words,
            kernels.DISTRIBUTION_CODES[self.distribution] if self.cut is None else CUT,
            TABLES,
            self.cut or (0.0, 0.0, 1.0),
            (self.factor, self.mean, self.low, self.high),
            kernels.DTYPE_CODES[self.dtype],
            self.itemsize,
            out,
        )
