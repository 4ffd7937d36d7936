"""Canonical order: the position in the stream of each element of a tensor.

Canonical order is row-major over the stacked axes (B, G), then O, I, D, H, W, in every layout. So a Keras
kernel ("IO") and the same kernel in PyTorch ("OI") have the same draws.
"""

from functools import lru_cache
from typing import NamedTuple

from service.core.layer.types import CenterName
from service.core.slices import Slices, compute_shape

CANONICAL = "BGOIDHW"


def find_center(length: int, center: CenterName) -> int:
    """Return the index of the centre of an axis of a kernel.

    "same" is the tap that padding="same" puts on the output itself. "torch" is that of torch.nn.init.dirac_,
    which is one further in even kernels.

    >>> find_center(3, "same"), find_center(4, "same"), find_center(4, "torch")
    (1, 1, 2)
    """
    return length // 2 if center == "torch" else (length - 1) // 2


class StridedPositions(NamedTuple):
    """The positions in the stream of a slice of a tensor, in memory order.

    `sizes` and `strides` have an entry for each axis, outermost first. Element (i, j, …) has position
    `offset` + i · strides[0] + j · strides[1] + ….
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@lru_cache(1024)
def compute_strides(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Return the stride in canonical order of each axis of the layout, in elements.

    Axes that share a letter keep their order.

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


def find_positions(shape: tuple[int, ...], layout: str, slices: Slices) -> StridedPositions:
    """Return the positions of a slice of a tensor, with as few axes as possible.

    `slices` has a half-open slice of step 1 for each axis. Merges adjacent axes that are contiguous and drops
    axes of size 1, so a whole tensor in canonical layout is one axis of stride 1.

    >>> find_positions((64, 32, 3, 3), "OIHW", (slice(0, 64), slice(0, 32), slice(0, 3), slice(0, 3)))
    StridedPositions(sizes=(18432,), strides=(1,), offset=0)
    >>> find_positions((784, 300), "IO", (slice(0, 128), slice(0, 300)))
    StridedPositions(sizes=(128, 300), strides=(1, 784), offset=0)
    """
    strides = compute_strides(shape, layout)
    offset = sum(axis.start * stride for axis, stride in zip(slices, strides, strict=True))
    merged: list[tuple[int, int]] = []
    for size, stride in zip(compute_shape(slices), strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    sizes = tuple(size for size, _ in merged) or (1,)
    return StridedPositions(sizes, tuple(stride for _, stride in merged) or (1,), offset)
