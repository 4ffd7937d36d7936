"""What the interpreter knows of the arrays of a program: parameters, signals and scales."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from weightinit.adapters.check import Signal

Array = Any


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of an array. `path` is that of a parameter that it derives from, unless it is a signal.

    `sources` are the layers that a signal derives from; `output` is the layer whose output it is. `is_scale`
    if it is a standard deviation or its inverse, as in a norm, `is_square` if it is a square of a signal.
    `is_empty` if it is zero whatever the weights, such as the initial state of a recurrent layer.
    """

    path: str | None = None
    is_signal: bool = False
    sources: frozenset[Signal] = frozenset()
    output: Signal | None = None
    is_scale: bool = False
    is_square: bool = False
    is_empty: bool = False


def combine(name: str, pairs: Sequence[tuple[Array, Fact]]) -> Fact:
    """Return the fact of an operation's result, given its operands."""
    fact = merge([one for _, one in pairs])
    if name == "square" or (name in {"mul", "integer_pow"} and all(one[0] is pairs[0][0] for one in pairs)):
        fact = replace(fact, is_square=fact.is_signal)
    if name in {"rsqrt", "sqrt"} and (fact.is_signal or (fact.path is not None and not is_one(pairs[0][0]))):
        return replace(fact, is_scale=True)
    return fact


def merge(facts: Sequence[Fact]) -> Fact:
    """Return the fact of a value derived from several arrays."""
    is_signal = any(fact.is_signal for fact in facts)
    path = None if is_signal else next((fact.path for fact in facts if fact.path is not None), None)
    sources = frozenset[Signal]().union(*(fact.sources for fact in facts))
    others = [fact for fact in facts if fact.is_signal or fact.path is not None]
    is_scale = any(fact.is_scale for fact in others) and all(
        fact.is_scale or not fact.is_signal for fact in others
    )
    is_square = is_signal and all(fact.is_square for fact in facts if fact.is_signal)
    return Fact(path, is_signal, sources, None, is_scale, is_square)


def is_one(value: Array) -> bool:
    """Return whether running statistics, up to an epsilon, still have their initial value of one."""
    return bool(np.allclose(to_numpy(value), 1, atol=2e-3))


def is_zero(value: Array) -> bool:
    """Return whether an array of real or complex numbers is all zeros."""
    return bool(jnp.issubdtype(value.dtype, jnp.inexact)) and not np.any(to_numpy(value))


def name_layer(path: str) -> str:
    """Return the name of a layer, from its kernel's path.

    >>> name_layer("params/hidden1/kernel"), name_layer("layers/0/weight")
    ('hidden1', 'layers/0')
    """
    return path.removeprefix("params/").rpartition("/")[0] or path


def to_numpy(value: Array) -> Any:  # noqa: ANN401
    """Return an array as a NumPy array, half precision as float32."""
    array = jnp.asarray(value)
    return np.asarray(array.astype(jnp.promote_types(array.dtype, jnp.float32)))
