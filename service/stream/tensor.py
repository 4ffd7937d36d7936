"""Tensors: draw any range of elements of a seeded tensor or a slice of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from service.core import (
    DTYPES,
    TENSOR_DTYPES,
    DistributionName,
    DtypeName,
    IntegerDtype,
    LayerSpec,
    Parameters,
    TensorDtypeName,
    require_seed,
)
from service.core.slices import Slices, compute_shape, select_all
from service.stream import kernels
from service.stream.inverse_cdf import TRUNCATED_CUT, load_tables
from service.stream.key import Key, derive_key
from service.stream.order import StridedPositions, find_positions
from service.stream.rounding import round_below, round_to

TABLES = load_tables()
Fill = Callable[[int, NDArray[np.uint8]], None]  # takes the first element to write, and the output


@dataclass(frozen=True)
class Tensor:
    """A seeded tensor or a slice of it. Elements are numbered row-major, in the order of the layout.

    `factor` multiplies the standard transform: the limit of a uniform, the stddev of a normal. `bound` is the
    largest magnitude that the dtype can represent inside the open interval of the distribution.
    """

    key: Key
    shape: tuple[int, ...]
    positions: StridedPositions
    distribution: DistributionName
    dtype: DtypeName
    factor: float
    bound: float
    is_elementwise: ClassVar[bool] = True

    @classmethod
    def of(cls, spec: LayerSpec, parameters: Parameters, slices: Slices | None = None) -> Self:
        """Return the tensor of a spec, or a slice of it.

        `slices` has a half-open slice for each axis, in the order of the layout. Raises SpecError if the spec
        has no seed.
        """
        slices = slices or select_all(parameters.shape)
        factor, bound = compute_span(parameters)
        return cls(
            key=derive_key(require_seed(spec), spec.name),
            shape=compute_shape(slices),
            positions=find_positions(parameters.shape, parameters.layout, slices),
            distribution=parameters.distribution or "normal",
            dtype=parameters.dtype,
            factor=factor,
            bound=bound,
        )

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return DTYPES[self.dtype].itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * self.itemsize

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        numbers = (float(self.factor).hex(), float(self.bound).hex())
        return (tuple(self.key), self.shape, tuple(self.positions), self.dtype, self.distribution, *numbers)

    @cached_property
    def _kernel(self) -> Fill:
        sizes, strides, offset = self.positions
        return partial(
            kernels.fill,
            np.array(self.key, np.uint32),
            (np.array(sizes, np.int64), np.array(strides, np.uint64), offset),
            kernels.DISTRIBUTION_CODES[self.distribution],
            TABLES,
            self.factor,
            self.bound,
            kernels.DTYPE_CODES[self.dtype],
            self.itemsize,
        )

    def bind(self) -> Fill:
        """Return `fill` without its checks, for callers that request valid ranges."""
        return self._kernel

    def fill(self, start: int, out: NDArray[np.uint8], /) -> None:
        """Write the little-endian bytes of consecutive elements, from element start on, into out.

        out is contiguous, starts at a multiple of the itemsize and has room for whole elements. Releases the
        GIL. Raises ValueError if the elements are outside the tensor.
        """
        if start < 0 or start * self.itemsize + out.size > self.nbytes or out.size % self.itemsize:
            raise ValueError(
                f"start {start} and {out.size} bytes are outside a tensor of {self.nbytes} bytes"
            )
        self._kernel(start, out)

    def read(self) -> bytes:
        """Return all little-endian bytes. For small tensors, since they are in memory at once."""
        out = np.empty(self.nbytes, np.uint8)
        self.fill(0, out)
        return out.tobytes()


def compute_span(parameters: Parameters) -> tuple[float, float]:
    """Return the multiplier of the standard transform, and the largest magnitude allowed.

    The bound keeps rounded values inside the open interval: ±limit of a uniform, ±2σ / 0.8796… of a truncated
    normal.
    """
    if parameters.distribution == "uniform":
        return parameters.limit, round_below(parameters.limit, parameters.dtype)
    if parameters.distribution == "truncated_normal":
        return parameters.stddev, round_below(TRUNCATED_CUT * parameters.stddev, parameters.dtype)
    return parameters.stddev, DTYPES[parameters.dtype].max


class Source(Protocol):
    """Elements of one dtype, of which any range can be read."""

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""

    @property
    def is_elementwise(self) -> bool:
        """Whether each element is computed alone, so that a few of them take microseconds."""

    def bind(self) -> Fill:
        """Return the function that writes the little-endian bytes of consecutive elements into an array."""


@dataclass(frozen=True, slots=True)
class ConstantTensor:
    """A tensor with one value everywhere."""

    shape: tuple[int, ...]
    dtype: TensorDtypeName
    value: float
    is_elementwise: ClassVar[bool] = True

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return TENSOR_DTYPES[self.dtype].itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * self.itemsize

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        return ("constant", self.shape, self.dtype, self.value.hex())

    def bind(self) -> Fill:
        """Return `fill`."""
        return self.fill

    def fill(self, _start: int, out: NDArray[np.uint8], /) -> None:
        """Fill out with the value."""
        value, row = np.array([self.value]), TENSOR_DTYPES[self.dtype]
        element = value.astype(row.npy) if isinstance(row, IntegerDtype) else round_to(value, row.name)
        out.view(element.dtype)[:] = element
