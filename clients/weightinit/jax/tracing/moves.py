"""NumPy versions of JAX's operations that only move elements."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weightinit.jax.tracing.primitives import KEEPING

Equation = Any  # a jax.extend.core.JaxprEqn
Array = Any  # of NumPy


def _broadcast(equation: Equation, array: Array) -> Array:
    shape = equation.outvars[0].aval.shape
    lengths = [1] * len(shape)
    for axis, place in enumerate(equation.params["broadcast_dimensions"]):
        lengths[place] = array.shape[axis]
    return np.broadcast_to(array.reshape(lengths), shape)


def _reshape(equation: Equation, array: Array) -> Array:
    order = equation.params["dimensions"]
    return (array if order is None else array.transpose(order)).reshape(equation.outvars[0].aval.shape)


def _slice(equation: Equation, array: Array) -> Array:
    params = equation.params
    strides = params["strides"] or [1] * array.ndim
    bounds = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return array[tuple(slice(*bound) for bound in bounds)]


def _split(equation: Equation, array: Array) -> Sequence[Array]:
    return np.split(array, np.cumsum(equation.params["sizes"])[:-1], equation.params["axis"])


def _unstack(equation: Equation, array: Array) -> Sequence[Array]:
    return [*np.moveaxis(array, equation.params["axis"], 0)]


def _join(equation: Equation, *arrays: Array) -> Array:
    return np.concatenate(arrays, equation.params["dimension"])


MOVES: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": _join,
    "reshape": _reshape,
    "rev": lambda equation, array: np.flip(array, equation.params["dimensions"]),
    "slice": _slice,
    "split": _split,
    "stack": lambda equation, *arrays: np.stack(arrays, equation.params["axis"]),
    "squeeze": lambda equation, array: array.squeeze(equation.params["dimensions"]),
    "tile": lambda equation, array: np.tile(array, equation.params["reps"]),
    "transpose": lambda equation, array: array.transpose(equation.params["permutation"]),
    "unstack": _unstack,
}


def make_move(equation: Equation) -> Callable[..., Any]:
    """Return a NumPy function for an operation that moves elements; others are evaluated by JAX."""
    name = equation.primitive.name
    if name in KEEPING:
        return lambda array, *_: array
    move = MOVES.get(name)
    if move is not None:
        return lambda *arrays: move(equation, *arrays)
    return lambda *arrays: equation.primitive.bind(*arrays, **equation.params)


def overlay(*arrays: Array) -> Array:
    """Combine arrays by their maximum, so that zeros of one are replaced by values of the others.

    >>> overlay(np.array([1, 0]), np.array([0, 2])).tolist()
    [1, 2]
    """
    return np.maximum.reduce(arrays)
