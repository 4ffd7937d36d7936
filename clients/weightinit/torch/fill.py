"""Fill a tensor with weights from the service or a constant, whatever its device and strides."""

import ctypes
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from weightinit import Client, Spec
from weightinit.adapters.rules import TensorRejected
from weightinit.spec.dtypes import INTEGERS
from weightinit.torch.shards import Shard, cut_rows, find_shards, move_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES: dict[torch.dtype, str] = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}

# Dtypes that constants may have in addition, if this PyTorch version has them.
TENSOR_DTYPES: dict[torch.dtype, str] = {
    **DTYPES,
    **{getattr(torch, name): name for name in INTEGERS if hasattr(torch, name)},
}

PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


def check_shape(tensor: torch.Tensor, name: str) -> None:
    """Check that a tensor is a single tensor whose shape is known. Raises TensorRejected."""
    if tensor.is_nested:
        raise TensorRejected(f"{name or 'the tensor'} must be one tensor; received a nested one")
    if is_lazy(tensor):
        advice = "run the module once, so that its lazy layers learn their sizes"
        raise TensorRejected(f"{name or 'the tensor'} has no shape yet: {advice}")


def check_tensor(tensor: torch.Tensor, name: str, dtypes: Mapping[torch.dtype, str] = DTYPES) -> None:
    """Check that a tensor is dense, in memory and of a supported dtype. Raises TensorRejected."""
    check_shape(tensor, name)
    rule = _find_broken_rule(tensor, dtypes)
    if rule:
        raise TensorRejected(f"{name or 'the tensor'} {rule}")


def name_dtype(tensor: torch.Tensor) -> str:
    """Return the name by which the service knows a tensor's dtype. Raises TensorRejected.

    >>> name_dtype(torch.zeros(2, dtype=torch.bfloat16))
    'bfloat16'
    """
    name = DTYPES.get(tensor.dtype)
    if name is None:
        raise TensorRejected(f"dtype must be one of {', '.join(DTYPES.values())}; received {tensor.dtype}")
    return name


def is_writable(tensor: torch.Tensor) -> bool:
    """Return whether a tensor's values are contiguous in host memory and can be written as bytes."""
    if type(tensor) not in PLAIN or tensor.device.type != "cpu":
        return False
    return tensor.is_contiguous() and not tensor.is_neg()


def view_bytes(tensor: torch.Tensor) -> "NDArray[np.uint8]":
    """Return a view of a writable tensor's memory as bytes; the tensor must outlive the view.

    tensor.numpy() would make the storage impossible to resize, which FSDP needs to do.
    """
    memory = (ctypes.c_ubyte * tensor.nbytes).from_address(tensor.data_ptr())
    return np.ctypeslib.as_array(memory)


def _find_broken_rule(tensor: torch.Tensor, dtypes: Mapping[torch.dtype, str]) -> str | None:
    if tensor.is_meta:
        return "is on the meta device and has no memory: call module.to_empty(device=...) first"
    if tensor.layout != torch.strided:
        return f"must be dense; received layout {tensor.layout}"
    if tensor.dtype not in dtypes:
        return f"must have dtype {', '.join(dtypes.values())}; received {tensor.dtype}"
    if any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
        return "is expanded: several of its elements share memory; fill the tensor that it was expanded from"
    return None


# Host memory used at a time to fill a tensor that cannot be written directly.
STAGING_BYTES = 16 * 2**20


def draw_(
    tensor: torch.Tensor, spec: Spec, client: Client, rows: slice | None = None, first: int = 0
) -> None:
    """Fill a tensor, or some of its rows, with the weights of a spec; only the shards of this process.

    The values are the rows of the spec's tensor from `first` on. A contiguous part in host memory is written
    by the transfer itself; others are filled through a buffer of at most STAGING_BYTES. After an exception
    the contents are undefined.
    """
    for shard in find_shards(tensor):
        held = cut_rows(shard, rows)
        if held is not None:
            _draw_shard(move_rows(held, first), spec, client)
            # NumPy's write is invisible to autograd: a graph that saved the old values must detect the
            # change.
            if not held.local.is_inference():
                torch.autograd.graph.increment_version(shard.local)


def fill_(tensor: torch.Tensor, value: float, rows: slice | None = None) -> None:
    """Fill a tensor, or some of its rows, with one value; only the shards of this process."""
    with torch.no_grad():
        for shard in find_shards(tensor):
            held = cut_rows(shard, rows)
            if held is not None:
                held.local.fill_(value if held.local.is_floating_point() else int(value))


def split_slices(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Split a shape into slices of at most `most` elements, in row-major order.

    >>> list(split_slices((3, 4), 8))
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
        _fetch(client, spec, shard.slices, local)
        return
    most = STAGING_BYTES // local.element_size()
    staging = torch.empty(min(most, local.numel()), dtype=local.dtype)
    with torch.no_grad():
        for part in split_slices(tuple(local.shape), most):
            target = local[part]
            held = staging[: target.numel()].view(target.shape)
            slices = tuple(_shift(inside, of.start) for inside, of in zip(part, shard.slices, strict=True))
            _fetch(client, spec, slices, held)
            target.copy_(held)


def _shift(axis_slice: slice, by: int) -> slice:
    return slice(axis_slice.start + by, axis_slice.stop + by)


def _fetch(client: Client, spec: Spec, slices: tuple[slice, ...], memory: torch.Tensor) -> None:
    client.fetch(spec, slice=slices, out=view_bytes(memory))
