"""Sparse tensors: normal draws, of which each unit has a fixed number of zeros (Martens 2010, section 5).

An element is zero if its mask word, under a key of its own, is among the smallest of its unit.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core import DTYPES, DtypeName
from service.core.layer.structure import count_zeros
from service.core.slices import Slices, compute_shape
from service.stream.kernels.ranges import draw_range
from service.stream.kernels.sparse import list_units, mark_zeros, select_thresholds
from service.stream.key import Key
from service.stream.order import StridedPositions, find_positions
from service.stream.sources.elements import Positions, SlicedElements, pack_positions
from service.stream.tensor import Fill, Tensor

#: What the mask's key is derived from, in place of "weightinit stream": as many bytes.
MASK_DOMAIN = b"weightinit sparse"
#: Thresholds are found for blocks of adjacent units, small ones: a slice may need one unit of each.
BLOCK_UNITS, BLOCK_DRAWS = 128, 16384
#: Words of a unit that are drawn at once. A larger unit is drawn in several parts.
BATCH = 65536
MAX_THRESHOLDS = 1 << 22  # 12 bytes each

Thresholds = tuple[NDArray[np.uint32], NDArray[np.int64]]


class ThresholdCache:
    """The thresholds of the blocks used last, at most `limit` of them in all."""

    def __init__(self, limit: int) -> None:
        self._limit, self._count, self._lock = limit, 0, Lock()
        self._blocks: OrderedDict[tuple[object, ...], Thresholds] = OrderedDict()

    def get(self, key: tuple[object, ...], compute: Callable[[], Thresholds]) -> Thresholds:
        """Return the thresholds of a block, computed unless they are kept."""
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
                return self._blocks[key]
        found = compute()
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = found
                self._count += found[0].size
            while self._count > self._limit and len(self._blocks) > 1:
                _, (limits, _) = self._blocks.popitem(last=False)
                self._count -= limits.size
        return found


CACHE = ThresholdCache(MAX_THRESHOLDS)


class Units(NamedTuple):
    """The units of a tensor: elements that share their number of zeros.

    `total` is the number of units, and `size` the number of elements of each, which are `inner` positions
    apart. `zeros` of them are zero. `shift` is the logarithm of the number of units in a block.
    """

    total: int
    size: int
    inner: int
    zeros: int
    shift: int


@dataclass(frozen=True)
class SparseTensor(SlicedElements):
    """A slice of a seeded tensor of normal draws with ceil(sparsity · n) zeros in each unit of n elements.

    A unit has all inputs (axes I, D, H, W) of one output, or with `axis` "O" all outputs of one input.
    `factor` is the standard deviation of the draws, and `sparsity` is from 0 to 1.
    """

    key: Key
    mask_key: Key
    shape: tuple[int, ...]
    layout: str
    slices: Slices
    dtype: DtypeName
    factor: float
    sparsity: float
    axis: Literal["I", "O"] = "I"
    is_elementwise: ClassVar[bool] = False

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        numbers = (float(self.factor).hex(), float(self.sparsity).hex(), self.axis)
        return ("sparse", tuple(self.key), tuple(self.mask_key), *self._place, *numbers)

    @cached_property
    def units(self) -> Units:
        """The units of the whole tensor."""
        outputs, inputs = self._measure("O"), self._measure("IDHW")
        size, inner = (inputs, 1) if self.axis == "I" else (outputs, inputs)
        shift = max(min(BLOCK_UNITS, BLOCK_DRAWS // size), 1).bit_length() - 1
        return Units(math.prod(self.shape) // size, size, inner, count_zeros(self.sparsity, size), shift)

    @cached_property
    def _draws(self) -> Fill:
        positions = find_positions(self.shape, self.layout, self.slices)
        bound = DTYPES[self.dtype].max
        return Tensor(self.key, self.extent, positions, "normal", self.dtype, self.factor, bound).bind()

    @cached_property
    def _unit_positions(self) -> Positions:
        """The positions of all elements, unit by unit."""
        total, size, inner, *_ = self.units
        if inner == 1:
            return pack_positions(StridedPositions((total * size,), (1,), 0))
        return pack_positions(StridedPositions((total // inner, inner, size), (inner * size, 1, inner), 0))

    def estimate_draws(self) -> int:
        """Return about how many words the thresholds of the slice take: those of the blocks of its units."""
        letters = "BGO" if self.axis == "I" else "BGIDHW"
        lengths = zip(compute_shape(self.slices), self.layout, strict=True)
        touched = math.prod(length for length, letter in lengths if letter in letters)
        total, size, _, zeros, shift = self.units
        # A large unit is drawn three times: see _select_large.
        return min(touched << shift, total) * size * (3 if size > BATCH else 1) if zeros else 0

    @cached_property
    def _held(self) -> dict[bytes, Thresholds]:
        """The thresholds of the last chunk. Where outputs run fastest in memory, the next has the same."""
        return {}

    def _find_blocks(self, blocks: NDArray[np.uint64]) -> Thresholds:
        """Return the thresholds of blocks, a row for each."""
        name = blocks.tobytes()
        if (held := self._held.get(name)) is None:
            limits, lasts = zip(*(self._find_block(int(block)) for block in blocks), strict=True)
            held = np.stack(limits), np.stack(lasts)
            self._held.clear()
            self._held[name] = held
        return held

    def _find_block(self, block: int) -> Thresholds:
        total, size, inner, zeros, shift = self.units

        def compute() -> Thresholds:
            first, full = block << shift, 1 << shift
            limits, lasts = np.zeros(full, np.uint32), np.zeros(full, np.int64)
            there = min(full, total - first)
            if size > BATCH:  # then a block is one unit
                limits[0], lasts[0] = self._select_large(first)
            else:
                words = self._draw_mask(first * size, there * size)
                select_thresholds(words, size, zeros, limits[:there], lasts[:there])
            return limits, lasts

        return CACHE.get((tuple(self.mask_key), total, size, inner, zeros, block), compute)

    def _draw_mask(self, start: int, count: int) -> NDArray[np.uint32]:
        """Return mask words, unit by unit."""
        words = np.empty(count, np.uint32)
        draw_range(np.array(self.mask_key, np.uint32), self._unit_positions, start, words)
        return words

    def _select_large(self, unit: int) -> tuple[int, int]:
        """Return the word and the index of the last of the smallest draws of a unit of any size.

        Draws the unit three times: to count the upper halves, the lower halves, and equal words.
        """
        size, rank, limit = self.units.size, self.units.zeros - 1, 0
        for turn in range(2):
            counts = np.zeros(65536, np.int64)
            for at in range(0, size, BATCH):
                words = self._draw_mask(unit * size + at, min(BATCH, size - at))
                halves = words >> 16 if turn == 0 else words[words >> 16 == limit] & 0xFFFF
                counts += np.bincount(halves, minlength=65536)
            ends = np.cumsum(counts)
            value = int(np.searchsorted(ends, rank, side="right"))
            rank -= int(ends[value] - counts[value])
            limit = limit << 16 | value
        for at in range(0, size, BATCH):
            found = np.flatnonzero(self._draw_mask(unit * size + at, min(BATCH, size - at)) == limit)
            if rank < found.size:
                return limit, at + int(found[rank])
            rank -= found.size
        raise AssertionError("a unit has as many equal words as were counted")

    def _fill_chunk(self, start: int, out: NDArray[np.uint8]) -> None:
        self._draws(start, out)
        if not self.units.zeros:
            return
        _, size, inner, _, shift = self.units
        count = out.size // self.itemsize
        units, words, marks = (
            np.empty(count, np.uint64),
            np.empty(count, np.uint32),
            np.empty(count, np.bool_),
        )
        list_units(self._positions, start, size, inner, units)
        draw_range(np.array(self.mask_key, np.uint32), self._positions, start, words)
        numbers = units >> np.uint64(shift)
        changes = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        blocks = np.unique(np.append(numbers[changes], numbers[:1]))
        limits, lasts = self._find_blocks(blocks)
        mark_zeros(
            words,
            units,
            self._positions,
            start,
            (size, inner, shift),
            blocks,
            limits,
            lasts,
            marks,
        )
        np.copyto(out.view(f"u{self.itemsize}"), 0, where=marks)
