"""Snapshots: a module and all it holds, and the global generators, put back bit for bit after a run."""

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
# Code, which a run does not change.
CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, torch.dtype, torch.device)
# Devices without generators of their own, and MPS, of which there is one: its functions take no device.
PLAIN = ("cpu", "meta", "mps")


@contextmanager
def keep_state(root: nn.Module) -> Iterator[None]:
    """Put back a module, all that its attributes hold, and the generators of torch, random and NumPy."""
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
    """Note the state of an object and of all that can be reached from it."""
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
    """Find what an object holds."""
    if isinstance(value, torch.Tensor):
        return [value.grad] if value.is_leaf else []
    inside = list(getattr(value, "__dict__", {}).values())
    if isinstance(value, dict):
        inside += value.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        inside += value
    return inside


def keep_one(value: Any) -> Iterator[Undo]:  # noqa: ANN401
    """Note the state of an object alone, without what it holds."""
    if isinstance(value, torch.Tensor):
        yield keep_tensor(value)
        return
    found = next((keep for kind, keep in KINDS if isinstance(value, kind)), None)
    if found:
        yield found(value)
    if isinstance(attributes := getattr(value, "__dict__", None), dict):
        yield keep_dict(attributes)


def keep_array(value: NDArray[Any]) -> Undo:
    """Note the values of an array."""
    values = value.copy()
    return lambda: np.copyto(value, values) if value.flags.writeable else None


def keep_generator(value: np.random.Generator) -> Undo:
    """Note the state of a generator of NumPy."""
    return partial(setattr, value.bit_generator, "state", value.bit_generator.state)


def keep_list(value: list[Any]) -> Undo:
    """Note the items of a list. They are put back unless they are still there."""
    items = list(value)

    def restore() -> None:
        if list(map(id, value)) != list(map(id, items)):
            value[:] = items

    return restore


def keep_dict(value: dict[Any, Any]) -> Undo:
    """Note the items of a dictionary. They are put back in their order, unless they are still there."""
    items = dict(value)

    def restore() -> None:
        if list(map(id, value.values())) != list(map(id, items.values())) or list(value) != list(items):
            value.clear()
            value.update(items)

    return restore


def keep_group(value: set[Any] | deque[Any]) -> Undo:
    """Note the items of a set or deque."""
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
    """Note the values of a tensor, where they are, and what autograd keeps with it."""
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
