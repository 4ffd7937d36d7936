"""Copies: a module on the meta device, without memory, hooks and wrappers, to be run without a trace."""

import copy
import itertools
import random
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import torch
from torch import nn

from weightinit.adapters.flow.graph import Structure
from weightinit.torch.walk import unwrap

# What nn.Module keeps its parts in, and its hooks, by name.
REGISTRIES = ("_parameters", "_buffers", "_modules")
HOOKS = {name for name, value in vars(nn.Module()).items() if isinstance(value, dict)}.difference(REGISTRIES)
# What needs no copy, and what needs none where it is empty.
IMMUTABLE = frozenset([bool, int, float, str, type(None), torch.dtype, FunctionType, BuiltinFunctionType])
CONTAINERS = frozenset([dict, OrderedDict, list, set, tuple])


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a module without memory.

    `originals` are the originals of its tensors by the id of the copy, and `sources` those of its modules.
    """

    module: nn.Module
    originals: dict[int, torch.Tensor]
    sources: dict[nn.Module, nn.Module]

    def find_original(self, tensor: torch.Tensor) -> torch.Tensor:
        """Find the original of a tensor; one that is no copy is its own."""
        return self.originals.get(id(tensor), tensor)


def copy_module(root: nn.Module) -> Copy:
    """Copy a module onto the meta device, without hooks and wrappers.

    What classes do when they are copied is left out: nn.TransformerDecoderLayer would forget its activation
    and FSDP refuse. Attributes that cannot be copied are shared, or what they hold is.
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
    return Copy(memo[id(unwrap(root))], originals, {memo[id(module)]: module for module in modules})


def _copy_attribute(name: str, value: Structure, memo: dict[int, Any]) -> Structure:
    """Copy what an attribute holds; of hooks there are none."""
    kind = type(value)
    if kind in IMMUTABLE or (kind is tuple and all(type(item) in IMMUTABLE for item in value)):
        return value
    if name in REGISTRIES:
        return {key: memo.get(id(item)) for key, item in value.items()}
    if name in HOOKS or (kind in CONTAINERS and not value):
        return kind()
    if isinstance(value, torch.Generator):
        return value.clone_state()
    for make in (partial(copy.deepcopy, memo=memo), copy.copy):
        with suppress(Exception):  # what holds a lock has no deep copy, and a process group none at all
            return make(value)
    return value


def _copy_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Copy a parameter or a buffer: its values too where it is small and no parameter."""
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(_drop_values(tensor), requires_grad=tensor.dtype.is_floating_point)
    if tensor.ndim == 0 and tensor.device.type == "cpu":
        return tensor.detach().clone()  # a number, which a forward may read
    return _drop_values(tensor)


def copy_input(value: Structure) -> Structure:
    """Copy an argument of a forward without its values; a number keeps its own."""
    return _copy_tensor(value.detach()) if isinstance(value, torch.Tensor) else value


def _drop_values(tensor: torch.Tensor) -> torch.Tensor:
    """Make a tensor without memory, of the whole shape and of no subclass: a DTensor stands for the whole."""
    if type(tensor) in {torch.Tensor, nn.Parameter} and tensor.layout is torch.strided:
        return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


@contextmanager
def keep_surroundings(root: nn.Module) -> Iterator[None]:
    """Put back what a forward may change outside of its module: generators, modes, attributes of classes."""
    dtype, errors = torch.get_default_dtype(), np.geterr()
    kinds = {kind for module in root.modules() for kind in type(module).__mro__ if is_custom(kind)}
    attributes = {kind: dict(vars(kind)) for kind in kinds}
    try:
        with keep_generators(), warnings.catch_warnings(action="ignore"), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        np.seterr(**errors)
        for kind, before in attributes.items():
            restore_class(kind, before)


def is_custom(kind: type) -> bool:
    """Return whether a class is neither Python's nor PyTorch's."""
    return kind.__module__.partition(".")[0] not in {"builtins", "torch"}


def restore_class(kind: type, before: dict[str, Any]) -> None:
    """Put back the attributes of a class."""
    for name in vars(kind).keys() - before.keys():
        delattr(kind, name)
    for name, value in before.items():
        if vars(kind).get(name, value) is not value or name not in vars(kind):
            setattr(kind, name, value)


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
