"""Tensors: which of them can hold weights, and what their bytes are."""

import ctypes
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from weightinit.torch.errors import TensorRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES: dict[torch.dtype, str] = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}

PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


def check_shape(tensor: torch.Tensor, name: str) -> None:
    """Check that a tensor has a shape. Raises TensorRejected."""
    if is_lazy(tensor):
        advice = "run the module once, so that its lazy layers learn their sizes"
        raise TensorRejected(f"{name or 'the tensor'} has no shape yet: {advice}")


def check_tensor(tensor: torch.Tensor, name: str) -> None:
    """Check that a tensor has memory of a kind that weights can be written to. Raises TensorRejected."""
    check_shape(tensor, name)
    rule = _find_broken_rule(tensor)
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
    """Tell whether a tensor's elements are one contiguous run of this process's memory, as they are."""
    if type(tensor) not in PLAIN or tensor.device.type != "cpu":
        return False
    return tensor.is_contiguous() and not tensor.is_neg()


def view_bytes(tensor: torch.Tensor) -> "NDArray[np.uint8]":
    """View the memory of a writable tensor, which has to outlive the view, as bytes.

    Not by tensor.numpy(): it leaves a storage that cannot be resized any more, as FSDP has to.
    """
    memory = (ctypes.c_ubyte * tensor.nbytes).from_address(tensor.data_ptr())
    return np.ctypeslib.as_array(memory)


def _find_broken_rule(tensor: torch.Tensor) -> str | None:
    if tensor.is_meta:
        return "is on the meta device and has no memory: call module.to_empty(device=...) first"
    if tensor.layout != torch.strided:
        return f"must be dense; received layout {tensor.layout}"
    if tensor.dtype not in DTYPES:
        return f"must have dtype {', '.join(DTYPES.values())}; received {tensor.dtype}"
    if any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
        return "is expanded: several of its elements share memory; fill the tensor that it was expanded from"
    return None
