"""Canonical order: which position of the stream each element of a tensor takes.

Canonical order is row-major over the stacked axes (B, G), then O, I, D, H, W, whatever the layout. A Keras
kernel ("IO") and its PyTorch twin ("OI") thus share every draw.
"""

from typing import NamedTuple

CANONICAL = "BGOIDHW"


class Walk(NamedTuple):
    """A row-major walk over a box in memory order: sizes, canonical strides and start, in elements."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


def compute_strides(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Return each axis's stride in canonical order, in elements; axes in the layout's order.

    Axes that share a letter keep their order among themselves.

    >>> compute_strides((784, 300), "IO")
    (1, 784)
    >>> compute_strides((3, 3, 64, 128), "HWIO")
    (3, 1, 9, 576)
    """
    strides = [0] * len(shape)
    step = 1
    for axis in sorted(range(len(shape)), key=lambda a: (CANONICAL.index(layout[a]), a), reverse=True):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def plan_walk(shape: tuple[int, ...], layout: str, box: tuple[slice, ...]) -> Walk:
    """Return the shortest walk over a box (one half-open slice an axis, step 1) of a tensor.

    Neighbouring axes that continue each other are merged and axes of size one are dropped, so a whole tensor
    in canonical layout is one axis of stride 1.

    >>> plan_walk((64, 32, 3, 3), "OIHW", (slice(0, 64), slice(0, 32), slice(0, 3), slice(0, 3)))
    Walk(sizes=(18432,), strides=(1,), offset=0)
    >>> plan_walk((784, 300), "IO", (slice(0, 128), slice(0, 300)))
    Walk(sizes=(128, 300), strides=(1, 784), offset=0)
    """
    strides = compute_strides(shape, layout)
    offset = sum(cut.start * stride for cut, stride in zip(box, strides, strict=True))
    merged: list[tuple[int, int]] = []
    for size, stride in ((cut.stop - cut.start, stride) for cut, stride in zip(box, strides, strict=True)):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    sizes = tuple(size for size, _ in merged) or (1,)
    return Walk(sizes, tuple(stride for _, stride in merged) or (1,), offset)
