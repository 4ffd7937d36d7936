"""Tests of a tensor's values: whether they are readable, constant, uninitialized or plausible."""

import math

import torch

from weightinit.adapters.actions import LARGEST, SMALLEST
from weightinit.torch.fill import DTYPES
from weightinit.torch.walk import PLAIN

# Pointers and counters in uninitialized memory are below this when read as float32.
DENORMAL = 1e-30


def is_readable(tensor: torch.Tensor) -> bool:
    """Return whether all values of a tensor are floating-point numbers in this process's memory."""
    return (
        type(tensor) in PLAIN
        and not tensor.is_meta
        and tensor.layout == torch.strided
        and tensor.dtype in DTYPES
        and tensor.numel() > 0
    )


def find_uniform(tensor: torch.Tensor) -> float | None:
    """Return the value that all elements of a tensor have; None if they differ or cannot be read.

    A DTensor is not read: each process has different elements, and all must decide alike.
    """
    if not is_readable(tensor):
        return None
    values = tensor.detach()
    ends = values[(0,) * values.ndim], values[(-1,) * values.ndim]
    if ends[0].item() != ends[1].item():  # two elements rule out most tensors
        return None
    low, high = torch.aminmax(values)
    return low.item() if low.item() == high.item() else None


def is_garbage(tensor: torch.Tensor) -> bool:
    """Return whether a tensor contains NaN or only denormal numbers. Infinity is allowed, as in masks."""
    if not is_readable(tensor):
        return False
    low, high = (end.item() for end in torch.aminmax(tensor.detach()))
    return math.isnan(low) or 0 < max(-low, high) < DENORMAL


def is_filled(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is not constant; for a single element, whether it is not zero."""
    value = find_uniform(tensor)
    return value is None or (tensor.numel() == 1 and value != 0)


def is_plausible(tensor: torch.Tensor) -> bool:
    """Return whether a tensor may be a kernel: not constant, and neither too small nor too large."""
    low, high = torch.aminmax(tensor.detach())
    if low.item() == high.item() and tensor.numel() > 1:
        return False
    return SMALLEST < max(-low.item(), high.item()) < LARGEST


def is_written(tensor: torch.Tensor) -> bool:
    """Return whether a tensor was written to after it was created."""
    return not tensor.is_inference() and tensor._version > 0  # noqa: SLF001 - no public way


def is_set(tensor: torch.Tensor) -> bool:
    """Return whether a vector has a constant value that memory does not have by chance."""
    value = find_uniform(tensor) if tensor.ndim == 1 and tensor.numel() > 1 else None
    return value is not None and SMALLEST < abs(value) < LARGEST


def count_axes(tensor: torch.Tensor) -> int:
    """Return the number of axes with more than one element."""
    return sum(size > 1 for size in tensor.shape)
