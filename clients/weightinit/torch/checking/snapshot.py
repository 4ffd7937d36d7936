"""Restore a module, all objects that it references, and the random generators, bit for bit after a run."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from weightinit.torch.tracing.copying import keep_generators

Undo = Callable[[], Any]
# Types that a run does not change.
CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, torch.dtype, torch.device)
# Devices without generators of their own, and MPS, which has one generator and functions without a device.
PLAIN = ("cpu", "meta", "mps")


@contextmanager
def keep_state(root: nn.Module) -> Iterator[None]:
    """Restore a module, all objects that it references, and the generators of torch, random and NumPy."""
    devices = {tensor.device for tensor in (*root.parameters(), *root.buffers())}
    with ExitStack() as stack:
        stack.enter_context(keep_generators())
        for device in devices:
            if hasattr(torch.get_device_module(device), "device_count") and device.type not in PLAIN:
                stack.enter_context(torch.random.fork_rng([device.index], device_type=device.type))
        for restore in keep_objects(root):
            stack.callback(restore)
        yield


def keep_objects(root: object) -> Iterator[Undo]:
    """Yield functions that restore an object and all objects that can be reached from it."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or value is None or isinstance(value, (*CODE, bool, int, float, str, bytes)):
            continue
        seen.add(id(value))
        yield from keep_one(value)
        waiting += find_inside(value)


def find_inside(value: Any) -> list[object]:  # noqa: ANN401 - anything that a module may hold
    """Return the objects that an object references."""
    if isinstance(value, torch.Tensor):
        return [value.grad] if value.is_leaf else []
    inside = list(getattr(value, "__dict__", {}).values())
    if isinstance(value, dict):
        inside += value.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        inside += value
    return inside


def keep_one(value: Any) -> Iterator[Undo]:  # noqa: ANN401
    """Yield functions that restore an object itself, without the objects that it references."""
    if isinstance(value, torch.Tensor):
        yield keep_tensor(value)
        return
    found = next((keep for kind, keep in KINDS if isinstance(value, kind)), None)
    if found:
        yield found(value)
    if isinstance(attributes := getattr(value, "__dict__", None), dict):
        yield keep_dict(attributes)


def keep_array(value: NDArray[Any]) -> Undo:
    """Return a function that restores the values of an array."""
    values = value.copy()
    return lambda: np.copyto(value, values) if value.flags.writeable else None


def keep_generator(value: np.random.Generator) -> Undo:
    """Return a function that restores the state of a NumPy generator."""
    return partial(setattr, value.bit_generator, "state", value.bit_generator.state)


def keep_list(value: list[Any]) -> Undo:
    """Return a function that restores the items of a list, if they have changed."""
    items = list(value)

    def restore() -> None:
        if list(map(id, value)) != list(map(id, items)):
            value[:] = items

    return restore


def keep_dict(value: dict[Any, Any]) -> Undo:
    """Return a function that restores the items of a dictionary and their order, if they have changed."""
    items = dict(value)

    def restore() -> None:
        if list(map(id, value.values())) != list(map(id, items.values())) or list(value) != list(items):
            value.clear()
            value.update(items)

    return restore


def keep_group(value: set[Any] | deque[Any]) -> Undo:
    """Return a function that restores the items of a set or deque."""
    items = list(value)

    def restore() -> None:
        value.clear()
        (value.update if isinstance(value, set) else value.extend)(items)

    return restore


KINDS: tuple[tuple[Any, Callable[[Any], Undo]], ...] = (
    (torch.Generator, lambda value: partial(value.set_state, value.get_state())),
    (random.Random, lambda value: partial(value.setstate, value.getstate())),
    (np.random.Generator, keep_generator),
    (np.random.RandomState, lambda value: partial(value.set_state, value.get_state())),
    (np.ndarray, keep_array),
    (list, keep_list),
    (dict, keep_dict),
    ((set, deque), keep_group),
)


def keep_tensor(tensor: torch.Tensor) -> Undo:
    """Return a function that restores a tensor's values, memory and autograd state."""
    leaf, requires_grad, grad = tensor.is_leaf, tensor.requires_grad, tensor.grad if tensor.is_leaf else None
    memory = tensor.data
    values = None if tensor.is_meta else memory.clone()

    def restore() -> None:
        with torch.no_grad():
            strided = memory.layout == torch.strided
            if values is not None and not (strided and torch.equal(memory, values)):
                memory.copy_(values)
            if leaf:
                moved = strided and tensor.data_ptr() != memory.data_ptr()
                if moved or tensor.shape != memory.shape:
                    tensor.data = memory
                tensor.requires_grad_(requires_grad)
                tensor.grad = grad

    return restore
