"""Find which slices of a tensor are in this process's memory.

A plain tensor is one slice. For a DTensor the slices follow from its placements, by public attributes only
and without communication. Runs are lists of index ranges along one axis.
"""

import itertools
import math
import sys
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import torch
from torch import nn

from weightinit.adapters.rules import TensorRejected

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor, Placement

Runs = list[range]


class Shard(NamedTuple):
    """Half-open slices of a tensor, one per axis, and the local memory that holds these values."""

    slices: tuple[slice, ...]
    local: torch.Tensor


def is_dtensor(tensor: torch.Tensor) -> TypeGuard["DTensor"]:
    """Return whether a tensor is a DTensor, without importing torch.distributed."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def reshard(root: nn.Module) -> None:
    """Reshard modules under fully_shard, because a forward pass may have left whole parameters in place."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    if fsdp is not None and hasattr(fsdp, "FSDPModule"):
        for module in root.modules():
            if isinstance(module, fsdp.FSDPModule):
                module.reshard()


def find_shards(tensor: torch.Tensor) -> list[Shard]:
    """Return the non-empty slices that this process holds. Raises TensorRejected.

    A rank outside the mesh, or with an empty shard, holds none. FSDP over tensor parallelism can give a rank
    several slices that are not adjacent.
    """
    if not is_dtensor(tensor):
        whole = tuple(slice(0, size) for size in tensor.shape)
        return [Shard(whole, tensor)] if tensor.numel() else []
    coordinate = tensor.device_mesh.get_coordinate()
    if coordinate is None:
        return []
    with torch.no_grad():
        local = tensor.to_local()
    axes: list[Runs] = [[range(size)] for size in tensor.shape]
    for placement, size, index in zip(tensor.placements, tensor.device_mesh.shape, coordinate, strict=True):
        place(axes, placement, size, index)
    held = tuple(sum(map(len, runs)) for runs in axes)
    if math.prod(held) != local.numel() or (local.numel() and held != tuple(local.shape)):
        raise TensorRejected(
            f"a shard of {tuple(tensor.shape)} placed {tensor.placements} has shape {held} by its "
            f"placements, and {tuple(local.shape)} in memory: shard it evenly"
        )
    return list(cut_boxes(axes, local))


def place(axes: list[Runs], placement: "Placement", size: int, index: int) -> None:
    """Reduce the runs of each axis to those of the rank with this index in a mesh dimension of this size."""
    if placement.is_replicate():
        return
    dim, factor = getattr(placement, "dim", None), getattr(placement, "split_factor", 1)
    if dim is None:
        raise TensorRejected(f"a tensor placed {placement} is a pending sum: redistribute it first")
    # FSDP over tensor parallelism: `factor` shards exist already, and each of them is sharded again.
    segments = [chunk(segment, size)[index] for segment in chunk(axes[dim], factor)]
    axes[dim] = join(itertools.chain.from_iterable(segments))


def chunk(runs: Runs, count: int) -> list[Runs]:
    """Split runs as torch.chunk does: pieces of equal size except the last; some may be empty.

    >>> chunk([range(0, 5), range(8, 10)], 3)
    [[range(0, 3)], [range(3, 5), range(8, 9)], [range(9, 10)]]
    """
    size = math.ceil(sum(map(len, runs)) / count)
    return [cut(runs, size * index, size * (index + 1)) for index in range(count)]


def cut(runs: Runs, start: int, stop: int) -> Runs:
    """Return the positions from start to stop of concatenated runs."""
    segments = []
    for run in runs:
        segments.append(run[max(start, 0) : max(stop, 0)])
        start, stop = start - len(run), stop - len(run)
    return [segment for segment in segments if segment]


def join(runs: itertools.chain[range]) -> Runs:
    """Join adjacent runs.

    >>> join(itertools.chain([range(0, 2), range(2, 4), range(6, 8)]))
    [range(0, 4), range(6, 8)]
    """
    joined: Runs = []
    for run in runs:
        if joined and joined[-1].stop == run.start:
            joined[-1] = range(joined[-1].start, run.stop)
        else:
            joined.append(run)
    return joined


def cut_boxes(axes: list[Runs], local: torch.Tensor) -> "itertools.starmap[Shard]":
    """Return a shard for each combination of runs, one per axis, with its part of the local tensor."""
    spans = []
    for runs in axes:
        stops = itertools.accumulate(map(len, runs))
        spans.append(
            [
                (slice(run.start, run.stop), slice(stop - len(run), stop))
                for run, stop in zip(runs, stops, strict=True)
            ]
        )
    combinations = (
        tuple(zip(*combination, strict=True)) or ((), ()) for combination in itertools.product(*spans)
    )
    return itertools.starmap(lambda slices, inside: Shard(slices, local[inside]), combinations)


def cut_rows(shard: Shard, rows: slice | None) -> Shard | None:
    """Return the part of a shard within some rows, with slices relative to the first row; None if empty."""
    if rows is None:
        return shard
    held = shard.slices[0]
    start, stop = max(held.start, rows.start), min(held.stop, rows.stop)
    if start >= stop:
        return None
    slices = (slice(start - rows.start, stop - rows.start), *shard.slices[1:])
    return Shard(slices, shard.local[start - held.start : stop - held.start])


def move_rows(shard: Shard, first: int) -> Shard:
    """Shift the rows of a shard by `first`, its offset in a larger tensor."""
    if not first:
        return shard
    held = shard.slices[0]
    return Shard((slice(held.start + first, held.stop + first), *shard.slices[1:]), shard.local)
