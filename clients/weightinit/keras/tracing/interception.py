"""Interception: the calls of layers and operations, taken over while a model is traced, and put back."""

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
# How Keras numbers unnamed layers, and its generator if no seed is given.
COUNTERS = "object_name_uids"
GENERATOR = "global_seed_generator"
# Functions of random numbers that drop or move elements of a tensor.
KEEPING = ("dropout", "shuffle")
# How deep collections in collections are looked into.
MAX_DEPTH = 4
# The operators of a variable that may meet a symbolic tensor on the right, and the function that each is.
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
    """What is called instead of a layer or an operation that is given symbolic tensors."""

    def call_layer(self, layer: Layer, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call a layer."""
        ...

    def call_operation(self, operation: Operation, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call an operation of Keras' functions."""
        ...


_listener: ContextVar[Listener | None] = ContextVar("weightinit.keras.listener", default=None)


@contextmanager
def intercept(listener: Listener) -> Iterator[None]:
    """Let a listener have the calls with symbolic tensors in this context."""
    with _LOCK, keras.StatelessScope(), _replace_methods():
        token = _listener.set(listener)
        try:
            yield
        finally:
            _listener.reset(token)


@contextmanager
def _replace_methods() -> Iterator[None]:
    """Replace methods of Keras' by ones that ask for a listener; elsewhere they do what they did."""
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
    # So that arrays of JAX and NumPy on the left leave arithmetic to the symbolic tensor.
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
    """Ask a listener for what a layer makes of symbolic tensors."""

    def call_layer(layer: Layer, *args: Any, **keywords: Any) -> Any:
        active = _listener.get()
        if active is not None and find_tensors((args, keywords)):
            return active.call_layer(layer, args, keywords)
        return call(layer, *args, **keywords)

    return call_layer


def ask_for_operation(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Ask a listener for what an operation makes of symbolic tensors."""

    def call_operation(operation: Operation, *args: Any, **keywords: Any) -> Any:
        active = _listener.get()
        if active is not None:
            return active.call_operation(operation, args, keywords)
        return compute(operation, *args, **keywords)

    return call_operation


def skip_losses(add_loss: Callable[..., Any]) -> Callable[..., Any]:
    """Skip losses that are symbolic tensors: they are none."""

    def add(layer: Layer, loss: Any) -> None:
        if not find_tensors(loss):
            add_loss(layer, loss)

    return add


def skip_assignments(assign: Callable[..., Any]) -> Callable[..., Any]:
    """Skip assignments of symbolic tensors, which no variable could hold."""

    def assign_value(variable: Variable, value: Any) -> Any:
        return value if isinstance(value, keras.KerasTensor) else assign(variable, value)

    return assign_value


def admit_tensors(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Admit symbolic tensors as the right operand of a variable, which Keras hands to its backend."""

    def operate(variable: Variable, other: Any) -> Any:
        if isinstance(other, keras.KerasTensor):
            return getattr(keras.ops, name)(variable, other)
        return method(variable, other)

    return operate


def pass_tensors(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Pass symbolic tensors by a function of random numbers, which leaves them what they are."""

    def operate(inputs: Any, *args: Any, **keywords: Any) -> Any:
        return inputs if isinstance(inputs, keras.KerasTensor) else draw(inputs, *args, **keywords)

    return operate


def find_tensors(value: Any) -> list[Tensor]:
    """Find the symbolic tensors in something."""
    if isinstance(value, keras.KerasTensor):
        return [value]
    if isinstance(value, dict):
        return find_tensors(list(value.values()))
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in find_tensors(item)]
    return []


def has_others(value: Any) -> bool:
    """Return whether there is something in a structure that is no symbolic tensor."""
    return any(not isinstance(one, keras.KerasTensor | None) for one in keras.tree.flatten(value))


class State:
    """What calls of a model's layers may change: attributes, and the collections that they are.

    Most models call none that changes anything: it is noted when the first comes that may.
    """

    def __init__(self, root: Layer) -> None:
        self._root = root
        self._mappings: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._sets: list[tuple[set[Any], set[Any]]] = []

    def note(self) -> None:
        """Note what everything is, unless that was done."""
        if self._mappings:
            return
        seen: set[int] = set()
        for layer in self._root._flatten_layers():  # noqa: SLF001 - no public way
            self._mappings.append((vars(layer), dict(vars(layer))))
            for value in vars(layer).values():
                self._note_collection(value, seen)

    def _note_collection(self, value: Any, seen: set[int], depth: int = 0) -> None:
        """Note what a collection holds, and what those in it do."""
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
        """Put everything back that was noted."""
        for value, items in self._lists:
            if len(value) != len(items) or any(map(operator.is_not, value, items)):
                list.__setitem__(value, slice(None), items)  # past what Keras does with lists of layers
        for members, kept in self._sets:
            if members != kept:
                set.clear(members)
                set.update(members, kept)
        for mapping, entries in self._mappings:
            if mapping or entries:
                put_back(mapping, entries)


@contextmanager
def keep_state(root: Layer) -> Iterator[State]:
    """Put back what calls may change: the state of a model, once noted, and what is global."""
    state = State(root)
    with _LOCK, keep_generators():
        try:
            yield state
        finally:
            state.put_back()


def put_back(mapping: dict[Any, Any], entries: dict[Any, Any]) -> None:
    """Put back the entries of a dictionary, in order; one that did not change is not touched."""
    if list(mapping) == list(entries) and all(map(operator.is_, mapping.values(), entries.values())):
        return
    dict.clear(mapping)
    dict.update(mapping, entries)


@contextmanager
def keep_generators() -> Iterator[None]:
    """Put back the global generators, and how far Keras has counted names."""
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
