"""Matrices: compute orthogonal matrices in a few threads, each once, and keep the latest.

A task makes a block of reflectors or finishes a panel of columns. Tasks of a panel are queued after those of
its blocks, and the queue is in order, so a task waits only for tasks that have started.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core import DTYPES
from service.stream import kernels
from service.stream.inverse_cdf import load_tables
from service.stream.kernels import reflectors
from service.stream.kernels.reflectors import find_block, finish_panel
from service.stream.kernels.tiles import SIDE, WIDTH
from service.stream.key import Key

CACHE_BYTES = 512 * 2**20  # finished matrices that are kept, in float64: four of 4096 × 4096
SMALL = 2**16  # elements of matrices that one task makes: 256 × 256 takes 2 ms

Values = NDArray[np.float64]
Blocks = tuple[Values, Values, Values]  # see reflectors.py
TABLES = load_tables()


class Family(NamedTuple):
    """Stacked matrices of one size, and where their draws are in the stream.

    The tall matrix has orthonormal columns; `is_wide` says that it is the transpose of the one in the tensor.
    A column, a row and a matrix of the stack are so many positions apart.
    """

    key: Key
    offset: int
    column_stride: int
    row_stride: int
    stack_stride: int
    rows: int
    columns: int
    stack: int
    is_wide: bool

    @property
    def together(self) -> int:
        """The number of matrices that are made together: more than one if they are small."""
        return min(max(1, SMALL // (self.rows * self.columns)), self.stack)

    @property
    def panels(self) -> int:
        """The number of panels of a matrix that are finished separately: 1 if it is small."""
        return 1 if self.rows * self.columns <= SMALL else -(-self.columns // WIDTH)


class Matrices:
    """Matrices of a family that are made together. Panels are finished when they are needed."""

    def __init__(self, family: Family, number: int, pool: ThreadPoolExecutor) -> None:
        self.first = number * family.together
        self._family, self._pool = family, pool
        count = min(family.together, family.stack - self.first)
        self.values: Values = np.empty((count, family.rows * family.columns))
        self._lock = threading.Lock()
        self._panels: dict[int, Future[None]] = {}
        self._made: dict[int, Future[None]] = {}
        self._blocks: Blocks | None = None

    def start(self, panels: Iterable[int]) -> list[Future[None]]:
        """Queue the panels that were not queued before. Return the futures of all."""
        with self._lock:
            return [self._start_panel(panel) for panel in panels]

    def _start_panel(self, panel: int) -> Future[None]:
        future = self._panels.get(panel)
        if future is not None and not (future.done() and future.exception()):
            return future
        if self._family.panels == 1:
            future = self._pool.submit(self._make_small)
        else:
            self._blocks = blocks = self._blocks or reserve_blocks(self._family)
            last = min((panel + 1) * WIDTH, self._family.columns) - 1
            made = [self._start_block(block, blocks) for block in range(last // SIDE + 1)]
            future = self._pool.submit(self._finish, panel, blocks, made)
        self._panels[panel] = future
        if len(self._panels) == self._family.panels:
            self._blocks, self._made = None, {}  # the queued tasks have what they need
        return future

    def _start_block(self, block: int, blocks: Blocks) -> Future[None]:
        future = self._made.get(block)
        if future is None or (future.done() and future.exception()):
            future = self._pool.submit(make_block, self._family, self.first, block, blocks)
            self._made[block] = future
        return future

    def _make_small(self) -> None:
        family, blocks = self._family, reserve_blocks(self._family)
        for number, values in enumerate(self.values, self.first):
            for block in range(-(-family.columns // SIDE)):
                make_block(family, number, block, blocks)
            for panel in range(-(-family.columns // WIDTH)):
                finish_panel(blocks, panel, family.rows, family.columns, family.is_wide, values)

    def _finish(self, panel: int, blocks: Blocks, made: list[Future[None]]) -> None:
        for future in made:
            future.result()
        family = self._family
        finish_panel(blocks, panel, family.rows, family.columns, family.is_wide, self.values[0])


def reserve_blocks(family: Family) -> Blocks:
    """Return memory for the reflectors of a matrix, without writing to it."""
    count = -(-family.columns // SIDE)
    size = find_block(count, family.rows)
    return np.empty(size), np.empty(count * SIDE * SIDE), np.empty((2 * count, SIDE))


def make_block(family: Family, number: int, block: int, blocks: Blocks) -> None:
    """Draw a block of columns of a matrix of the stack, from the diagonal down, and make its reflectors."""
    first = block * SIDE
    drawn = np.empty((min(SIDE, family.columns - first), family.rows - first))
    offset = family.offset + number * family.stack_stride
    offset += first * (family.column_stride + family.row_stride)
    strides = np.array([family.column_stride, family.row_stride], np.uint64)
    kernels.fill(
        np.array(family.key, np.uint32),
        (np.array(drawn.shape, np.int64), strides, offset),
        kernels.DISTRIBUTION_CODES["normal"],
        TABLES,
        1.0,
        DTYPES["float64"].max,
        kernels.DTYPE_CODES["float64"],
        drawn.itemsize,
        0,
        drawn.reshape(-1).view(np.uint8),
    )
    reflectors.make_block(drawn, family.rows, block, blocks)


class Engine:
    """Computes matrices in threads, and keeps the latest, up to a number of bytes.

    The latest matrices are kept even if they alone have more bytes.
    """

    def __init__(self, threads: int | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        self._threads, self._limit = threads, cache_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Matrices] = OrderedDict()
        self._bytes = 0

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        threads = self._threads or len(os.sched_getaffinity(0))
        return ThreadPoolExecutor(threads, thread_name_prefix="orthogonal")

    def take(self, family: Family, number: int) -> Matrices:
        """Return the matrices with a number, in units of `family.together`, without computing them."""
        with self._lock:
            taken = self._kept.get((family, number))
            if taken is None:
                taken = self._kept[family, number] = Matrices(family, number, self._pool)
                self._bytes += taken.values.nbytes
            self._kept.move_to_end((family, number))
            while self._bytes > self._limit and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.values.nbytes
            return taken

    def close(self) -> None:
        """End the threads after the running tasks."""
        self._pool.shutdown(cancel_futures=True)


ENGINE = Engine()
