"""Identity tensors: each output copies an input. Kernels with space do so at their centre (a Dirac delta)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.core import DtypeName
from service.core.layer.types import CenterName
from service.core.slices import Slices
from service.stream.kernels.diagonal import find_diagonal
from service.stream.order import find_center
from service.stream.rounding import round_to
from service.stream.sources.elements import SlicedElements


@dataclass(frozen=True)
class IdentityTensor(SlicedElements):
    """A slice of a tensor with `gain` where output and input are equal, at the centre of the space, else 0.

    Outputs and inputs are numbered over the O and the I axes. The outputs of each of `groups` are numbered
    from 0, as in torch.nn.init.dirac_. Every stacked kernel is such a tensor. Raises ValueError if the groups
    do not divide the outputs.
    """

    shape: tuple[int, ...]
    layout: str
    slices: Slices
    dtype: DtypeName
    gain: float
    groups: int = 1
    center: CenterName = "same"

    def __post_init__(self) -> None:
        if self._measure("O") % self.groups:
            raise ValueError(f"groups must divide the outputs, got {self.groups} and {self._measure('O')}")

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        return ("identity", *self._place, float(self.gain).hex(), self.groups, self.center)

    @cached_property
    def _axes(self) -> NDArray[np.int64]:
        """Return, for each axis, the strides of the output and of the input, and the centre or -1."""
        axes, strides = np.zeros((len(self.shape), 3), np.int64), {"O": 1, "I": 1}
        for number in reversed(range(len(self.shape))):
            letter, length = self.layout[number], self.shape[number]
            axes[number, 2] = find_center(length, self.center) if letter in "DHW" else -1
            if letter in strides:
                axes[number, "OI".index(letter)] = strides[letter]
                strides[letter] *= length
        return axes

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.array([axis.start for axis in self.slices], np.int64)

    def _fill_chunk(self, start: int, out: NDArray[np.uint8]) -> None:
        out[:] = 0
        count = out.size // self.itemsize
        found, period = np.empty(count, np.int64), self._measure("O") // self.groups
        sizes = np.array(self.extent, np.int64)
        total = find_diagonal(self._starts, sizes, self._axes, period, start, count, found)
        value = round_to(np.array([self.gain]), self.dtype)
        out.view(value.dtype)[found[:total]] = value
