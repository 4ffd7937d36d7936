"""Elements: what all sources of this folder share. They write a range in chunks that fit a cache."""

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from service.core import TENSOR_DTYPES, TensorDtypeName
from service.core.slices import Slices, compute_shape
from service.stream.order import StridedPositions, find_positions
from service.stream.tensor import Fill

#: Elements in a chunk: few calls of the kernels, and buffers of at most 256 KiB.
CHUNK = 32768
Positions = tuple[NDArray[np.int64], NDArray[np.uint64], int]


class Elements(ABC):
    """A source of elements that are computed in chunks. Subclasses have a `shape` and a `dtype`."""

    shape: tuple[int, ...]
    dtype: TensorDtypeName
    is_elementwise: ClassVar[bool] = True

    @property
    def extent(self) -> tuple[int, ...]:
        """The shape of the elements."""
        return self.shape

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return TENSOR_DTYPES[self.dtype].itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.extent) * self.itemsize

    @property
    @abstractmethod
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""

    @abstractmethod
    def _fill_chunk(self, start: int, out: NDArray[np.uint8]) -> None:
        """Write at most CHUNK elements into out, from element start on."""

    def bind(self) -> Fill:
        """Return `fill` without its checks, for callers that request valid ranges."""
        return self._fill

    def _fill(self, start: int, out: NDArray[np.uint8], /) -> None:
        step = CHUNK * self.itemsize
        for at in range(0, out.size, step):
            self._fill_chunk(start + at // self.itemsize, out[at : at + step])

    def fill(self, start: int, out: NDArray[np.uint8], /) -> None:
        """Write the little-endian bytes of consecutive elements, from element start on, into out.

        out is contiguous, starts at a multiple of the itemsize and has room for whole elements. Releases the
        GIL in the kernels. Raises ValueError if the elements are outside the tensor.
        """
        if start < 0 or start * self.itemsize + out.size > self.nbytes or out.size % self.itemsize:
            raise ValueError(
                f"start {start} and {out.size} bytes are outside a tensor of {self.nbytes} bytes"
            )
        self._fill(start, out)

    def read(self) -> bytes:
        """Return all little-endian bytes. For small tensors, since they are in memory at once."""
        out = np.empty(self.nbytes, np.uint8)
        self._fill(0, out)
        return out.tobytes()


class SlicedElements(Elements):
    """A source whose elements are a slice of a tensor, in the memory order of its layout.

    `shape` is that of the whole tensor, and `slices` has a half-open slice for each axis.
    """

    layout: str
    slices: Slices

    @property
    def extent(self) -> tuple[int, ...]:
        """The shape of the slice."""
        return compute_shape(self.slices)

    @cached_property
    def _positions(self) -> Positions:
        return pack_positions(find_positions(self.shape, self.layout, self.slices))

    def _measure(self, letters: str) -> int:
        """Return the product of the axes with these letters."""
        return math.prod(
            size for size, letter in zip(self.shape, self.layout, strict=True) if letter in letters
        )

    @property
    def _place(self) -> tuple[object, ...]:
        """What determines the positions of the elements, for the identity."""
        return (self.shape, self.layout, tuple((axis.start, axis.stop) for axis in self.slices), self.dtype)


def pack_positions(positions: StridedPositions) -> Positions:
    """Return strided positions as the arrays that the kernels take."""
    sizes, strides, offset = positions
    return np.array(sizes, np.int64), np.array(strides, np.uint64), offset
