"""Intercept calls of Keras' layers and operations while a model is traced, and restore the state after it.

Within `intercept`, methods of Keras are patched to pass calls with symbolic tensors to a listener (the
tracer). `keep_state` restores what the calls changed in the model and in global state.
"""

import operator
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from threading import RLock
from typing import Any, Protocol

import keras
import numpy as np
from keras.src.backend import random as keras_random
from keras.src.backend.common import global_state
from keras.src.backend.common.variables import Variable

from weightinit.keras.layers import Layer, Operation, Tensor

_LOCK = RLock()
# Keras' global attributes: the counters of unnamed layers, and the generator used when no seed is given.
COUNTERS = "object_name_uids"
GENERATOR = "global_seed_generator"
# Random functions that drop or move elements of a tensor.
KEEPING = ("dropout", "shuffle")
# The depth to which nested collections are searched.
MAX_DEPTH = 4
# Operators of a variable that may get a symbolic tensor as right operand, and the function of each.
OPERATORS = {
    "__add__": "add",
    "__sub__": "subtract",
    "__mul__": "multiply",
    "__truediv__": "divide",
    "__floordiv__": "floor_divide",
    "__pow__": "power",
    "__mod__": "mod",
    "__matmul__": "matmul",
}


class Listener(Protocol):
    """The object that receives calls of layers and operations with symbolic tensors."""

    def call_layer(self, layer: Layer, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Handle a layer's call."""
        ...

    def call_operation(self, operation: Operation, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Handle a call of an operation of keras.ops."""
        ...


_listener: ContextVar[Listener | None] = ContextVar("weightinit.keras.listener", default=None)


@contextmanager
def intercept(listener: Listener) -> Iterator[None]:
    """Pass calls with symbolic tensors to a listener within a block."""
    with _LOCK, keras.StatelessScope(), _replace_methods():
        token = _listener.set(listener)
        try:
            yield
        finally:
            _listener.reset(token)


@contextmanager
def _replace_methods() -> Iterator[None]:
    """Patch Keras' methods to use the active listener; without one they work as before."""
    rows: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (keras.Layer, "__call__", ask_for_layer),
        (keras.Operation, "symbolic_call", ask_for_operation),
        (keras.Layer, "add_loss", skip_losses),
        (Variable, "assign", skip_assignments),
        *((keras_random, name, pass_tensors) for name in KEEPING),
        *((Variable, name, partial(admit_tensors, name=word)) for name, word in OPERATORS.items()),
    ]
    replaced = [(owner, name, getattr(owner, name)) for owner, name, _ in rows]
    refusal = vars(keras.KerasTensor).get("__jax_array__")
    for owner, name, replace in rows:
        setattr(owner, name, replace(getattr(owner, name)))
    # With this, arrays of JAX and NumPy as left operands leave the operation to the symbolic tensor.
    keras.KerasTensor.__array_ufunc__ = None
    if refusal is not None:
        del keras.KerasTensor.__jax_array__
    try:
        yield
    finally:
        if refusal is not None:
            keras.KerasTensor.__jax_array__ = refusal
        del keras.KerasTensor.__array_ufunc__
        for owner, name, method in replaced:
            setattr(owner, name, method)


def ask_for_layer(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a patched Layer.__call__ that passes symbolic tensors to the listener."""

    def call_layer(layer: Layer, *args: Any, **keywords: Any) -> Any:
        active = _listener.get()
        if active is not None and find_tensors((args, keywords)):
            return active.call_layer(layer, args, keywords)
        return call(layer, *args, **keywords)

    return call_layer


def ask_for_operation(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Return a patched Operation.symbolic_call that calls the listener."""

    def call_operation(operation: Operation, *args: Any, **keywords: Any) -> Any:
        active = _listener.get()
        if active is not None:
            return active.call_operation(operation, args, keywords)
        return compute(operation, *args, **keywords)

    return call_operation


def skip_losses(add_loss: Callable[..., Any]) -> Callable[..., Any]:
    """Return a patched add_loss that ignores symbolic tensors, which are not losses."""

    def add(layer: Layer, loss: Any) -> None:
        if not find_tensors(loss):
            add_loss(layer, loss)

    return add


def skip_assignments(assign: Callable[..., Any]) -> Callable[..., Any]:
    """Return a patched assign that ignores symbolic tensors, which a variable cannot store."""

    def assign_value(variable: Variable, value: Any) -> Any:
        return value if isinstance(value, keras.KerasTensor) else assign(variable, value)

    return assign_value


def admit_tensors(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a patched operator of variables that accepts symbolic tensors, which Keras' backend does not."""

    def operate(variable: Variable, other: Any) -> Any:
        if isinstance(other, keras.KerasTensor):
            return getattr(keras.ops, name)(variable, other)
        return method(variable, other)

    return operate


def pass_tensors(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return a patched random function that returns symbolic tensors unchanged."""

    def operate(inputs: Any, *args: Any, **keywords: Any) -> Any:
        return inputs if isinstance(inputs, keras.KerasTensor) else draw(inputs, *args, **keywords)

    return operate


def find_tensors(value: Any) -> list[Tensor]:
    """Return the symbolic tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, keras.KerasTensor):
        return [value]
    if isinstance(value, dict):
        return find_tensors(list(value.values()))
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in find_tensors(item)]
    return []


def has_others(value: Any) -> bool:
    """Return whether a structure contains anything but symbolic tensors and None."""
    return any(not isinstance(one, keras.KerasTensor | None) for one in keras.tree.flatten(value))


class State:
    """Saves and restores what calls of a model's layers may change: attributes and collections in them.

    Most models call no layer that may change anything, so the state is saved only before the first that may.
    """

    def __init__(self, root: Layer) -> None:
        self._root = root
        self._mappings: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._sets: list[tuple[set[Any], set[Any]]] = []

    def note(self) -> None:
        """Save the state, unless it is already saved."""
        if self._mappings:
            return
        seen: set[int] = set()
        for layer in self._root._flatten_layers():  # noqa: SLF001 - no public way
            self._mappings.append((vars(layer), dict(vars(layer))))
            for value in vars(layer).values():
                self._note_collection(value, seen)

    def _note_collection(self, value: Any, seen: set[int], depth: int = 0) -> None:
        """Save the items of a collection and of the collections in it."""
        if not isinstance(value, dict | list | set) or id(value) in seen or depth > MAX_DEPTH:
            return
        seen.add(id(value))
        if isinstance(value, set):
            self._sets.append((value, set(value)))
            return
        if isinstance(value, dict):
            self._mappings.append((value, dict(value)))
        else:
            self._lists.append((value, list(value)))
        for item in value.values() if isinstance(value, dict) else value:
            self._note_collection(item, seen, depth + 1)

    def put_back(self) -> None:
        """Restore the saved state."""
        for value, items in self._lists:
            if len(value) != len(items) or any(map(operator.is_not, value, items)):
                list.__setitem__(value, slice(None), items)  # bypasses Keras' tracking of lists of layers
        for members, kept in self._sets:
            if members != kept:
                set.clear(members)
                set.update(members, kept)
        for mapping, entries in self._mappings:
            if mapping or entries:
                put_back(mapping, entries)


@contextmanager
def keep_state(root: Layer) -> Iterator[State]:
    """Restore a model's state, if saved, and global state after a block."""
    state = State(root)
    with _LOCK, keep_generators():
        try:
            yield state
        finally:
            state.put_back()


def put_back(mapping: dict[Any, Any], entries: dict[Any, Any]) -> None:
    """Restore the entries of a dictionary and their order, if they have changed."""
    if list(mapping) == list(entries) and all(map(operator.is_, mapping.values(), entries.values())):
        return
    dict.clear(mapping)
    dict.update(mapping, entries)


@contextmanager
def keep_generators() -> Iterator[None]:
    """Restore the global random generators and Keras' name counters after a block."""
    counters = dict(global_state.get_global_attribute(COUNTERS, {}))
    generator = global_state.get_global_attribute(GENERATOR)
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what a call may use
    try:
        with ExitStack() as stack:
            if keras.backend.backend() == "torch":
                stack.enter_context(sys.modules["torch"].random.fork_rng(devices=[]))
            yield
    finally:
        found: Any = global_state.get_global_attribute(COUNTERS, {}, set_to_default=True)
        found.clear()
        found.update(counters)
        global_state.set_global_attribute(GENERATOR, generator)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
