"""Slices: a part of a tensor, half-open along each axis."""

import math
import re
from dataclasses import dataclass

from weightinit.spec.dtypes import Dtype
from weightinit.spec.layer import refuse

AXIS_SLICE = re.compile(r"([0-9]{0,19}):([0-9]{0,19})", re.ASCII)
STEPS = (None, 1)

Slices = str | slice | tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class TensorSlice:
    """A slice of a tensor: its text in a request, empty for the whole tensor, and its shape."""

    text: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, slices: Slices | None, shape: tuple[int, ...]) -> "TensorSlice":
        """Return the slice of a tensor of a shape, as NumPy slices it. Raises SpecRejected.

        Text is in the service's format: `start:stop` for each axis, within the axis. Slice objects may be
        negative and exceed the axis. Trailing axes may be left out; steps and integers are not supported.

        >>> TensorSlice.of("0:128,:", (784, 300))
        TensorSlice(text='0:128', shape=(128, 300))
        >>> TensorSlice.of((slice(None), slice(-2, None)), (784, 300))
        TensorSlice(text=':,298:300', shape=(784, 2))
        """
        axes = _split(slices)
        if len(axes) > len(shape):
            raise refuse("slice", f"must have at most one slice for each axis of shape, {len(shape)}", slices)
        bounds = [
            _resolve(text_or_slice, length, slices)
            for text_or_slice, length in zip(axes, shape, strict=False)
        ]
        bounds += [(0, length) for length in shape[len(axes) :]]
        text = [
            ":" if bound == (0, length) else f"{bound[0]}:{bound[1]}"
            for bound, length in zip(bounds, shape, strict=True)
        ]
        while text and text[-1] == ":":
            text.pop()
        return cls(",".join(text), tuple(max(0, stop - start) for start, stop in bounds))

    def count_bytes(self, dtype: Dtype) -> int:
        """Return the size of the slice in bytes."""
        return math.prod(self.shape) * dtype.itemsize


def _split(slices: Slices | None) -> tuple[slice | str, ...]:
    if slices is None:
        return ()
    if isinstance(slices, str):
        return tuple(slices.split(",")) if slices else ()
    axes = slices if isinstance(slices, tuple) else (slices,)
    if not all(isinstance(text_or_slice, slice) for text_or_slice in axes):
        raise refuse("slice", "must be text, or a slice object for each axis", slices)
    return axes


def _resolve(text_or_slice: slice | str, length: int, slices: object) -> tuple[int, int]:
    """Return the half-open bounds of the slice of one axis."""
    if isinstance(text_or_slice, slice):
        if text_or_slice.step not in STEPS:
            raise refuse("slice", "must not have steps", slices)
        start, stop, _ = text_or_slice.indices(length)
        return start, stop
    found = AXIS_SLICE.fullmatch(text_or_slice)
    if not found:
        raise refuse("slice", "must be start:stop for each axis, where both numbers are optional", slices)
    first, last = (text and int(text) for text in found.groups())
    start, stop = first or 0, length if last == "" else last
    if not 0 <= start < stop <= length:
        raise refuse("slice", f"must be a part of the axis, 0:{length}, that is not empty", slices)
    return start, stop
