"""Sources: what bytes are read from, drawn tensors and constant ones, which a model's tensors are made of."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.core import DTYPES, DtypeName
from service.core.box import Box
from service.core.models import Constant, ModelTensor, Part
from service.stream.rounding import round_to
from service.stream.tensor import Tensor


class Source(Protocol):
    """Elements of one dtype, any run of which can be read alone."""

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that the bytes are a function of."""

    def fill(self, start: int, out: NDArray[np.uint8], /) -> None:
        """Write the little-endian bytes of consecutive elements, from element start on, into out."""


@dataclass(frozen=True, slots=True)
class ConstantTensor:
    """A tensor of one value."""

    shape: tuple[int, ...]
    dtype: DtypeName
    value: float

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
        """Everything that the bytes are a function of."""
        return ("constant", self.shape, self.dtype, self.value.hex())

    def fill(self, _start: int, out: NDArray[np.uint8], /) -> None:
        """Write as many elements as out holds."""
        element = round_to(np.array([self.value]), self.dtype)
        out.view(element.dtype)[:] = element


def cut_tensor(tensor: ModelTensor, box: Box | None = None) -> tuple[Source, ...]:
    """Return the sources of a model's tensor, or of a box of it, one after another in memory."""
    box = box or tuple(slice(0, size) for size in tensor.shape)
    sources, first = [], 0
    for part in tensor.parts:
        rows = slice(max(box[0].start - first, 0), min(box[0].stop - first, part.shape[0]))
        if rows.start < rows.stop:
            sources.append(cut_part(part, (rows, *box[1:])))
        first += part.shape[0]
    return tuple(sources)


def cut_part(part: Part, box: Box) -> Source:
    """Return the source of a box of a part."""
    if isinstance(part, Constant):
        return ConstantTensor(tuple(cut.stop - cut.start for cut in box), part.dtype, part.value)
    above = part.box[0].start
    rows = slice(box[0].start + above, box[0].stop + above)
    return Tensor.of(part.spec, part.parameters, (rows, *box[1:]))
