"""Batches: the arguments of a model's call."""

from collections.abc import Callable, Mapping
from typing import Any

# An array whose first axis counts samples; a tuple of arguments; or a mapping of keyword arguments.
Batch = Any
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def read_batch(batch: Batch) -> Arguments:
    """Return the positional and the keyword arguments of a batch.

    A tuple has positional arguments, a mapping keyword arguments; anything else is the only argument.

    >>> read_batch(([1, 2], 3)), read_batch({"x": 1})
    ((([1, 2], 3), {}), ((), {'x': 1}))
    """
    if isinstance(batch, Mapping):
        return (), dict(batch)
    return (batch if isinstance(batch, tuple) else (batch,)), {}


def map_batch(batch: Batch, convert: Callable[[Any], Any]) -> Batch:
    """Return a batch with its arrays converted, including those in tuples, lists and dictionaries."""
    if type(batch) in {list, tuple}:
        return type(batch)(map_batch(one, convert) for one in batch)
    if isinstance(batch, Mapping):
        return {name: map_batch(one, convert) for name, one in batch.items()}
    return convert(batch)
