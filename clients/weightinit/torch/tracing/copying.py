"""Copy a module to the meta device, without hooks and wrappers, so that a run does not change it."""

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

# The attributes in which nn.Module stores its parts, and those in which it stores hooks.
REGISTRIES = ("_parameters", "_buffers", "_modules")
HOOKS = {name for name, value in vars(nn.Module()).items() if isinstance(value, dict)}.difference(REGISTRIES)
# Types that need no copy, and containers that need none if they are empty.
IMMUTABLE = frozenset([bool, int, float, str, type(None), torch.dtype, FunctionType, BuiltinFunctionType])
CONTAINERS = frozenset([dict, OrderedDict, list, set, tuple])


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a module on the meta device.

    `originals` maps the id of each copied tensor to its original, `sources` each copied module to its
    original.
    """

    module: nn.Module
    originals: dict[int, torch.Tensor]
    sources: dict[nn.Module, nn.Module]

    def find_original(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the original of a tensor; a tensor that is not a copy is returned itself."""
        return self.originals.get(id(tensor), tensor)


def copy_module(root: nn.Module) -> Copy:
    """Copy a module to the meta device, without hooks and wrappers.

    Copy hooks of classes are not called: nn.TransformerDecoderLayer would lose its activation, and FSDP
    raises. Attributes that cannot be deep-copied are copied shallowly, or shared.
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
    """Copy the value of an attribute; registries of hooks become empty."""
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
        with suppress(Exception):  # objects with a lock have no deep copy, process groups no copy
            return make(value)
    return value


def _copy_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Copy a parameter or a buffer; a scalar on the CPU that is not a parameter keeps its value."""
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(_drop_values(tensor), requires_grad=tensor.dtype.is_floating_point)
    if tensor.ndim == 0 and tensor.device.type == "cpu":
        return tensor.detach().clone()  # a number, which a forward may read
    return _drop_values(tensor)


def copy_input(value: Structure) -> Structure:
    """Copy an argument of a forward without its values; a scalar on the CPU keeps its value."""
    return _copy_tensor(value.detach()) if isinstance(value, torch.Tensor) else value


def _drop_values(tensor: torch.Tensor) -> torch.Tensor:
    """Return a plain meta tensor of the same shape; for a DTensor, of the whole tensor's shape."""
    if type(tensor) in {torch.Tensor, nn.Parameter} and tensor.layout is torch.strided:
        return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


@contextmanager
def keep_surroundings(root: nn.Module) -> Iterator[None]:
    """Restore what a forward may change outside its module: generators, modes, attributes of classes."""
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
    """Return whether a class is defined outside builtins and PyTorch."""
    return kind.__module__.partition(".")[0] not in {"builtins", "torch"}


def restore_class(kind: type, before: dict[str, Any]) -> None:
    """Restore the attributes of a class."""
    for name in vars(kind).keys() - before.keys():
        delattr(kind, name)
    for name, value in before.items():
        if vars(kind).get(name, value) is not value or name not in vars(kind):
            setattr(kind, name, value)


@contextmanager
def keep_generators() -> Iterator[None]:
    """Seed the global generators of torch, random and NumPy within a block, and restore them after it."""
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
