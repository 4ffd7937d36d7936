"""Orthogonal tensors: kernels whose rows or columns are orthonormal, with the distribution of Haar's measure.

A kernel is the matrix of its outputs (product of the O axes) by its inputs (product of the I, D, H and W
axes) in canonical order, as torch.nn.init.orthogonal_ flattens it. Axes B and G stack independent matrices.
"""

import math
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from service.core import DTYPES, DtypeName
from service.core.layer.types import CenterName
from service.core.slices import Slices, compute_shape
from service.stream.kernels import gather as gathering
from service.stream.kernels.tiles import SIDE, WIDTH
from service.stream.key import Key
from service.stream.matrices import ENGINE, Engine, Family, Matrices
from service.stream.order import CANONICAL, StridedPositions, find_center, find_positions
from service.stream.rounding import round_to
from service.stream.tensor import Fill

SPACE = "DHW"
PIECE = 2**15  # elements that are gathered and rounded at a time, in the L2 cache
AHEAD = 3  # times the requested elements whose columns are computed ahead
MAX_COLUMNS = 2**20  # beyond, a matrix has 10^18 operations or more: too many to count by columns
DRAW_COST = 30  # operations of a draw, about


@dataclass(frozen=True)
class Geometry:
    """The matrices of a tensor: `stack` of `outputs` by `inputs`, each element with `taps` positions.

    Only the tap `center` has values. `taps` is 1 unless the tensor is delta-orthogonal.
    """

    stack: int
    outputs: int
    inputs: int
    taps: int
    center: int

    @classmethod
    def of(cls, shape: tuple[int, ...], layout: str, center: CenterName | None) -> "Geometry":
        """Return the geometry of a shape. With a `center`, the space axes are not inputs but taps."""

        def multiply(letters: str) -> int:
            return math.prod(length for length, of in zip(shape, layout, strict=True) if of in letters)

        if center is None:
            return cls(multiply("BG"), multiply("O"), multiply("I" + SPACE), 1, 0)
        tap = 0
        for letter in SPACE:
            for length in (length for length, of in zip(shape, layout, strict=True) if of == letter):
                tap = tap * length + find_center(length, center)
        return cls(multiply("BG"), multiply("O"), multiply("I"), multiply(SPACE), tap)

    @property
    def rows(self) -> int:
        """The longer side: the rows of the tall matrix, whose columns are orthonormal."""
        return max(self.outputs, self.inputs)

    @property
    def columns(self) -> int:
        """The shorter side."""
        return min(self.outputs, self.inputs)

    @property
    def is_wide(self) -> bool:
        """Whether the rows of the kernel's matrix are orthonormal: it has no more outputs than inputs."""
        return self.outputs <= self.inputs

    def make_family(self, key: Key) -> Family:
        """Return the matrices with their draws, which are at the positions of their elements."""
        of_output, of_input = self.inputs * self.taps, self.taps
        column, row = (of_output, of_input) if self.is_wide else (of_input, of_output)
        return Family(
            key=key,
            offset=self.center,
            column_stride=column,
            row_stride=row,
            stack_stride=self.outputs * of_output,
            rows=self.rows,
            columns=self.columns,
            stack=self.stack,
            is_wide=self.is_wide,
        )


@dataclass(frozen=True)
class OrthogonalTensor:
    """An orthogonal tensor or a slice of it, times `gain`. Elements are in the layout's memory order.

    `slices` has a half-open slice for each axis. With a `center` the tensor is delta-orthogonal: the matrix
    of O by I is at the center of the D, H and W axes, and zeros elsewhere (Xiao et al. 2018,
    arXiv:1806.05393, algorithm 1). Then I ≤ O makes the convolution preserve norms.
    """

    key: Key
    shape: tuple[int, ...]
    layout: str
    slices: Slices
    dtype: DtypeName
    gain: float = 1.0
    center: CenterName | None = None
    is_elementwise: ClassVar[bool] = False

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return DTYPES[self.dtype].itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(compute_shape(self.slices)) * self.itemsize

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        where = (self._family[1:], compute_shape(self.slices), tuple(self._positions))
        return ("orthogonal", tuple(self.key), *where, self._geometry.taps, self.dtype, self.gain.hex())

    @cached_property
    def _geometry(self) -> Geometry:
        return Geometry.of(self.shape, self.layout, self.center)

    @cached_property
    def _family(self) -> Family:
        return self._geometry.make_family(self.key)

    @cached_property
    def _positions(self) -> StridedPositions:
        return find_positions(self.shape, self.layout, self.slices)

    @cached_property
    def _kernel_arguments(self) -> tuple[tuple[object, ...], tuple[int | bool, ...]]:
        sizes, strides, offset = self._positions
        of = self._geometry
        kind = (of.outputs * of.inputs, of.inputs, of.taps, of.center, of.is_wide)
        return (np.array(sizes, np.int64), np.array(strides, np.uint64), offset), kind

    def bind(self, engine: Engine = ENGINE) -> Fill:
        """Return the function that writes a range of elements. It computes in the threads of an engine."""
        return partial(self._fill, engine)

    def _fill(self, engine: Engine, start: int, out: NDArray[np.uint8], /) -> None:
        """Write the little-endian bytes of consecutive elements, from element start on, into out."""
        count = out.size // self.itemsize
        needed = self._start(engine, start, count)
        for _, futures in needed:
            for future in futures:
                future.result()
        for first in range(0, count, PIECE):
            last = min(first + PIECE, count)
            elements = self._gather([matrices for matrices, _ in needed], start + first, last - first)
            out[first * self.itemsize : last * self.itemsize] = elements.view(np.uint8)

    def _gather(self, finished: list[Matrices], start: int, count: int) -> NDArray[np.generic]:
        """Return consecutive elements, rounded to the dtype."""
        values = np.zeros(count)
        for matrices in finished:
            gathering.gather(*self._kernel_arguments, start, matrices.values, matrices.first, values)
        largest = DTYPES[self.dtype].max
        np.clip(np.multiply(values, self.gain, out=values), -largest, largest, out=values)
        return round_to(values, self.dtype)

    def _start(self, engine: Engine, start: int, count: int) -> list[tuple[Matrices, list[Future[None]]]]:
        """Queue what a range of elements needs, then what the elements after it need."""
        left = self.nbytes // self.itemsize - start - count
        needed = [(matrices, matrices.start(panels)) for matrices, panels in self._find(engine, start, count)]
        if needed and left:
            ahead = min(left, AHEAD * count)
            for matrices, panels in self._find(engine, start + count, ahead, needed[-1][0]):
                matrices.start(panels)
        return needed

    def _find(
        self, engine: Engine, start: int, count: int, only: Matrices | None = None
    ) -> Iterator[tuple[Matrices, list[int]]]:
        """Yield matrices of a range of elements with the numbers of their panels."""
        family = self._family
        units = -(-family.stack // family.together)
        flags = np.zeros((units, max(family.panels, -(-family.columns // WIDTH))), np.uint8)
        gathering.mark_panels(*self._kernel_arguments, start, count, family.together, flags)
        for number in np.flatnonzero(flags.any(axis=1)).tolist():
            if only is None or only.first == number * family.together:
                panels = np.flatnonzero(flags[number]).tolist() if family.panels > 1 else [0]
                yield only or engine.take(family, number), panels

    def read(self, engine: Engine = ENGINE) -> bytes:
        """Return all little-endian bytes. For small tensors, since they are in memory at once."""
        out = np.empty(self.nbytes, np.uint8)
        self.bind(engine)(0, out)
        return out.tobytes()


def estimate_cost(
    shape: tuple[int, ...], layout: str, slices: Slices, center: CenterName | None = None
) -> int:
    """Return the number of products and sums that a slice of an orthogonal tensor takes at most.

    A column of the tall matrix takes the reflectors of all columns before it, so columns cost more than
    earlier ones. A service can refuse tensors beyond a budget, and suggest to split them into parts.
    """
    of = Geometry.of(shape, layout, center)
    letters = "O" if of.is_wide else "I" if center else "I" + SPACE
    if of.columns > MAX_COLUMNS:
        panels = np.arange(MAX_COLUMNS // WIDTH)
    else:
        panels = np.unique(_number_columns(shape, layout, slices, letters) // WIDTH)
    stack = math.prod(
        axis.stop - axis.start for axis, letter in zip(slices, layout, strict=True) if letter in "BG"
    )
    last = np.minimum((panels + 1) * WIDTH, of.columns) - 1
    blocks = (last // SIDE + 1).tolist()
    applied = sum(4 * SIDE * WIDTH * (count * of.rows - SIDE * count * (count - 1) // 2) for count in blocks)
    made = (2 * SIDE + DRAW_COST) * SIDE * of.rows * max(blocks)
    return int(stack * (applied + made))


def estimate_memory(shape: tuple[int, ...], layout: str, center: CenterName | None = None) -> int:
    """Return the bytes that a matrix of an orthogonal tensor and its reflectors take while it is computed."""
    of = Geometry.of(shape, layout, center)
    return 8 * of.rows * of.columns + 8 * of.columns * (of.rows - (of.columns - 1) // 2)


def _number_columns(shape: tuple[int, ...], layout: str, slices: Slices, letters: str) -> NDArray[np.int64]:
    """Return the columns of the tall matrix that a slice has, from the axes that number them."""
    numbers = np.zeros(1, np.int64)
    axes = [axis for axis, letter in enumerate(layout) if letter in letters]
    for axis in sorted(axes, key=lambda axis: (CANONICAL.index(layout[axis]), axis)):
        indices = np.arange(slices[axis].start, slices[axis].stop)
        numbers = np.add.outer(numbers * shape[axis], indices).ravel()
    return numbers
