"""Boxes: the part of a tensor that a slice cuts out."""

import math
import re
from dataclasses import dataclass

from weightinit.spec.dtypes import Dtype
from weightinit.spec.layer import refuse

CUT = re.compile(r"([0-9]{0,19}):([0-9]{0,19})", re.ASCII)
STEPS = (None, 1)

Slices = str | slice | tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a tensor: the text that asks for it, empty for the whole, and its shape."""

    text: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, slices: Slices | None, shape: tuple[int, ...]) -> "Box":
        """Make the box that slices cut out of a shape, as NumPy would. Raises SpecRejected.

        Text is what the service takes: `start:stop` for each axis, within the axis. Slice objects may count
        from the end and reach past it. Axes at the end may be left out; steps and bare integers may not be.

        >>> Box.of("0:128,:", (784, 300))
        Box(text='0:128', shape=(128, 300))
        >>> Box.of((slice(None), slice(-2, None)), (784, 300))
        Box(text=':,298:300', shape=(784, 2))
        """
        cuts = _split(slices)
        if len(cuts) > len(shape):
            raise refuse("slice", f"must have at most one cut for each axis of shape, {len(shape)}", slices)
        bounds = [_resolve(cut, length, slices) for cut, length in zip(cuts, shape, strict=False)]
        bounds += [(0, length) for length in shape[len(cuts) :]]
        text = [
            ":" if bound == (0, length) else f"{bound[0]}:{bound[1]}"
            for bound, length in zip(bounds, shape, strict=True)
        ]
        while text and text[-1] == ":":
            text.pop()
        return cls(",".join(text), tuple(max(0, stop - start) for start, stop in bounds))

    def count_bytes(self, dtype: Dtype) -> int:
        """Count the bytes of the box."""
        return math.prod(self.shape) * dtype.itemsize


def _split(slices: Slices | None) -> tuple[slice | str, ...]:
    if slices is None:
        return ()
    if isinstance(slices, str):
        return tuple(slices.split(",")) if slices else ()
    cuts = slices if isinstance(slices, tuple) else (slices,)
    if not all(isinstance(cut, slice) for cut in cuts):
        raise refuse("slice", "must be text, or a slice object for each axis", slices)
    return cuts


def _resolve(cut: slice | str, length: int, slices: object) -> tuple[int, int]:
    """Return the half-open bounds of one cut."""
    if isinstance(cut, slice):
        if cut.step not in STEPS:
            raise refuse("slice", "must not have steps", slices)
        start, stop, _ = cut.indices(length)
        return start, stop
    found = CUT.fullmatch(cut)
    if not found:
        raise refuse("slice", "must be start:stop for each axis, either of which may be left out", slices)
    first, last = (text and int(text) for text in found.groups())
    start, stop = first or 0, length if last == "" else last
    if not 0 <= start < stop <= length:
        raise refuse("slice", f"must be a part of the axis, 0:{length}, that is not empty", slices)
    return start, stop
