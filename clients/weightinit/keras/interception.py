"""Interception: the calls of layers and operations, taken over while a model is traced, and put back."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Any, Protocol

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.backend.common.variables import Variable

from weightinit.keras.layers import Layer, Operation, Tensor

_LOCK = RLock()
# How Keras numbers what nobody named, and where it draws from where nobody gave a seed.
COUNTERS = "object_name_uids"
GENERATOR = "global_seed_generator"
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
def intercept(root: Layer, listener: Listener) -> Iterator[None]:
    """Let a listener have the calls with symbolic tensors in this context; keep the state of the root."""
    call, compute = keras.Layer.__call__, keras.Operation.symbolic_call
    operators = {name: getattr(Variable, name) for name in OPERATORS}
    refusal = vars(keras.KerasTensor).get("__jax_array__")

    def call_layer(layer: Layer, *args: Any, **keywords: Any) -> Any:
        active = _listener.get()
        if active is not None and find_tensors((args, keywords)):
            return active.call_layer(layer, args, keywords)
        return call(layer, *args, **keywords)

    def call_operation(operation: Operation, *args: Any, **keywords: Any) -> Any:
        active = _listener.get()
        if active is not None:
            return active.call_operation(operation, args, keywords)
        return compute(operation, *args, **keywords)

    with _LOCK, keep_state(root), keras.StatelessScope():
        token = _listener.set(listener)
        keras.Layer.__call__, keras.Operation.symbolic_call = call_layer, call_operation
        for name, operator in operators.items():
            setattr(Variable, name, admit_tensors(operator, OPERATORS[name]))
        if refusal is not None:  # so that an array of JAX leaves arithmetic with a symbolic tensor to that
            del keras.KerasTensor.__jax_array__
        try:
            yield
        finally:
            if refusal is not None:
                keras.KerasTensor.__jax_array__ = refusal
            for name, operator in operators.items():
                setattr(Variable, name, operator)
            keras.Layer.__call__, keras.Operation.symbolic_call = call, compute
            _listener.reset(token)


def admit_tensors(operator: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Admit symbolic tensors as the right operand of a variable, which Keras hands to its backend."""

    def operate(variable: Variable, other: Any) -> Any:
        if isinstance(other, keras.KerasTensor):
            return getattr(keras.ops, name)(variable, other)
        return operator(variable, other)

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


@contextmanager
def keep_state(root: Layer) -> Iterator[None]:
    """Put back what a call may change: attributes, lists, counters of names and generators."""
    before = [(layer, dict(vars(layer))) for layer in root._flatten_layers()]  # noqa: SLF001 - no public way
    kept = [value for _, attributes in before for value in attributes.values()]
    lists = [(value, list(value)) for value in kept if isinstance(value, list)]
    mappings = [(value, dict(value)) for value in kept if isinstance(value, dict)]
    try:
        with keep_generators():
            yield
    finally:
        for layer, attributes in before:
            vars(layer).clear()
            vars(layer).update(attributes)
        for value, items in lists:
            if len(value) != len(items) or any(
                one is not other for one, other in zip(value, items, strict=True)
            ):
                list.__setitem__(value, slice(None), items)  # past what Keras does with lists of layers
        for mapping, entries in mappings:
            if mapping.keys() != entries.keys() or any(mapping[key] is not entries[key] for key in entries):
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
