"""Copies: a module on the meta device, without memory, hooks and wrappers, to be run without a trace."""

import copy
import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from weightinit.adapters.graph import Structure
from weightinit.torch.walk import unwrap

# What nn.Module keeps its parts in, by name.
REGISTRIES = ("_parameters", "_buffers", "_modules")
# What needs no copy.
IMMUTABLE = frozenset([bool, int, float, str, type(None)])


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a module without memory. `originals` are its tensors' originals, by the id of the copy."""

    module: nn.Module
    originals: dict[int, torch.Tensor]


def copy_module(root: nn.Module) -> Copy:
    """Copy a module onto the meta device, without hooks and wrappers.

    What classes do when they are copied is left out: nn.TransformerDecoderLayer would forget its activation
    and FSDP refuse. Attributes that cannot be copied are shared.
    """
    memo: dict[int, Any] = {}
    originals: dict[int, torch.Tensor] = {}
    modules = list(root.modules())
    for tensor in itertools.chain(root.parameters(), root.buffers()):
        if id(tensor) not in memo:
            made = _copy_tensor(tensor)
            memo[id(tensor)] = made
            originals[id(made)] = tensor
    for module in modules:
        memo[id(module)] = object.__new__(type(module))
    for module in modules:
        attributes = {name: _copy_attribute(name, value, memo) for name, value in vars(module).items()}
        vars(memo[id(module)]).update(attributes)
    for module in modules:
        made = memo[id(module)]
        for name, child in module.named_children():
            made._modules[name] = memo[id(unwrap(child))]  # noqa: SLF001 - no public way
    return Copy(memo[id(unwrap(root))], originals)


def _copy_attribute(name: str, value: Structure, memo: dict[int, Any]) -> Structure:
    if name.endswith("_hooks") or name.startswith(("_forward_hooks", "_forward_pre_hooks")):
        return type(value)() if isinstance(value, dict) else value
    if name in REGISTRIES:
        return {key: memo.get(id(item)) for key, item in value.items()}
    if type(value) in IMMUTABLE:
        return value
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - a lock, a process group, a stream
        return value


def _copy_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Copy a parameter or a buffer: its values too where it is small and no parameter."""
    if isinstance(tensor, nn.Parameter):
        made = torch.empty_like(tensor.detach(), device="meta", memory_format=torch.preserve_format)
        return nn.Parameter(_to_plain(made), requires_grad=tensor.dtype.is_floating_point)
    if tensor.ndim == 0 and tensor.device.type == "cpu":
        return tensor.detach().clone()  # a number, which a forward may read
    return _to_plain(torch.empty_like(tensor.detach(), device="meta"))


def copy_input(value: Structure) -> Structure:
    """Copy an argument of a forward without its values; a number keeps its own."""
    return _copy_tensor(value.detach()) if isinstance(value, torch.Tensor) else value


def _to_plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the whole shape and of no subclass: a DTensor stands for the whole."""
    if type(tensor) in {torch.Tensor, nn.Parameter}:
        return tensor
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


@contextmanager
def keep_generators() -> Iterator[None]:
    """Put the global generators of torch, random and NumPy back to where they were; meanwhile, seed them."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - others' code may use it
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # torch.manual_seed seeds those of all devices
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
