"""Facts: what is known of the arrays of a program that is interpreted: parameters, signals and scales."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from weightinit.adapters.check import Signal

Array = Any


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of an array. `path` is that of a parameter that it is made of, unless it is a signal.

    `sources` are the layers that a signal comes from, `output` is the one whose output it is. `is_scale`
    tells that it divides by the scale of something, as a norm does, `is_square` that it measures one.
    `is_empty` tells that it is zero whatever the weights, as the first state of a recurrent layer.
    """

    path: str | None = None
    is_signal: bool = False
    sources: frozenset[Signal] = frozenset()
    output: Signal | None = None
    is_scale: bool = False
    is_square: bool = False
    is_empty: bool = False


def combine(name: str, pairs: Sequence[tuple[Array, Fact]]) -> Fact:
    """Say what is known of what an operation makes of arrays."""
    fact = merge([one for _, one in pairs])
    if name == "square" or (name in {"mul", "integer_pow"} and all(one[0] is pairs[0][0] for one in pairs)):
        fact = replace(fact, is_square=fact.is_signal)
    if name in {"rsqrt", "sqrt"} and (fact.is_signal or (fact.path is not None and not is_one(pairs[0][0]))):
        return replace(fact, is_scale=True)
    return fact


def merge(facts: Sequence[Fact]) -> Fact:
    """Say what is known of what is made of several arrays."""
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
    """Return whether running statistics are still those that a norm was made with, but for its epsilon."""
    return bool(np.allclose(to_numpy(value), 1, atol=2e-3))


def is_zero(value: Array) -> bool:
    """Return whether all of an array of real or complex numbers is zero."""
    return bool(jnp.issubdtype(value.dtype, jnp.inexact)) and not np.any(to_numpy(value))


def name_layer(path: str) -> str:
    """Name a layer by the path of its kernel.

    >>> name_layer("params/hidden1/kernel"), name_layer("layers/0/weight")
    ('hidden1', 'layers/0')
    """
    return path.removeprefix("params/").rpartition("/")[0] or path


def to_numpy(value: Array) -> Any:  # noqa: ANN401
    """Return the numbers of an array, those of half precision as float32."""
    array = jnp.asarray(value)
    return np.asarray(array.astype(jnp.promote_types(array.dtype, jnp.float32)))
