"""Filling: weights from the service into the memory of a tensor, whatever its device and strides."""

import itertools
import math
from collections.abc import Iterator

import torch

from weightinit import Client, Spec
from weightinit.torch.shards import Shard, cut_rows, find_shards, move_rows
from weightinit.torch.tensors import is_writable, view_bytes

# Where a tensor's own memory cannot take the bytes, this much of host memory is used at a time.
STAGING_BYTES = 16 * 2**20


def draw_(
    tensor: torch.Tensor, spec: Spec, client: Client, rows: slice | None = None, first: int = 0
) -> None:
    """Fill a tensor, or some of its rows, with the weights of a spec: those parts that this process holds.

    They are the rows of the spec's tensor from `first` on. A contiguous part in host memory is written by the
    transfer itself. Others are filled through a buffer of STAGING_BYTES at most. After an exception the
    contents are not defined.
    """
    for shard in find_shards(tensor):
        held = cut_rows(shard, rows)
        if held is not None:
            _draw_shard(move_rows(held, first), spec, client)
            # NumPy wrote behind autograd's back: a graph that saved the old values has to notice.
            if not held.local.is_inference():
                torch.autograd.graph.increment_version(shard.local)


def fill_(tensor: torch.Tensor, value: float, rows: slice | None = None) -> None:
    """Fill a tensor, or some of its rows, with one value: those parts that this process holds."""
    with torch.no_grad():
        for shard in find_shards(tensor):
            held = cut_rows(shard, rows)
            if held is not None:
                held.local.fill_(value)


def split_box(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Split a box into boxes of at most that many elements, in row-major order.

    >>> list(split_box((3, 4), 8))
    [(slice(0, 2, None), slice(0, 4, None)), (slice(2, 3, None), slice(0, 4, None))]
    """
    steps = [max(1, most // math.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    axes = [
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(shape, steps, strict=True)
    ]
    return itertools.product(*axes)


def _draw_shard(shard: Shard, spec: Spec, client: Client) -> None:
    local = shard.local
    if is_writable(local):
        _fetch(client, spec, shard.box, local)
        return
    most = STAGING_BYTES // local.element_size()
    staging = torch.empty(min(most, local.numel()), dtype=local.dtype)
    with torch.no_grad():
        for part in split_box(tuple(local.shape), most):
            target = local[part]
            held = staging[: target.numel()].view(target.shape)
            box = tuple(_shift(inside, of.start) for inside, of in zip(part, shard.box, strict=True))
            _fetch(client, spec, box, held)
            target.copy_(held)


def _shift(cut: slice, by: int) -> slice:
    return slice(cut.start + by, cut.stop + by)


def _fetch(client: Client, spec: Spec, box: tuple[slice, ...], memory: torch.Tensor) -> None:
    client.fetch(spec, slice=box, out=view_bytes(memory))
