"""Find the axes of an array along which the outputs of its kernel lie."""

import contextlib
from typing import Any

import numpy as np

from weightinit.adapters.flow.graph import BLENDING, PASSING, Node, Role, substitute

Array = Any  # of NumPy
MAX_ELEMENTS = 2**22


def find_output_axes(node: Node) -> frozenset[int] | None:
    """Return the axes along which the outputs of one kernel lie; None if they are unknown."""
    with contextlib.suppress(Exception):  # any operation of JAX, on numbers of outputs
        numbers = _number(node, {})
        if numbers is not None:
            whole = range(numbers.ndim)
            return frozenset(axis for axis in whole if (numbers != numbers.take([0], axis)).any())
    return None


def _number(node: Node, known: dict[Node, Array]) -> Array:
    """Return the index of the kernel's output for each element; None if the node derives from no kernel."""
    if node in known:
        return known[node]
    shape = node.shape or ()
    if np.prod(shape) > MAX_ELEMENTS:
        return None
    if node.role is Role.PRODUCT and node.parameters:
        lengths = [1] * len(shape)
        lengths[node.axis] = shape[node.axis]
        known[node] = np.broadcast_to(np.arange(shape[node.axis]).reshape(lengths), shape)
        return known[node]
    if node.role not in PASSING | BLENDING:
        return None
    several = {source: _number(source, known) for source in node.inputs}
    found = [numbers for numbers in several.values() if numbers is not None]
    if not found:
        return None
    if node.role in {Role.MOVE, Role.SPLIT} and node.call is not None:
        moved = node.call(*substitute(node.arguments, lambda source: _fill(source, several.get(source))))
        known[node] = np.asarray(moved if node.output is None else moved[node.output])
    else:
        known[node] = next((numbers for numbers in found if numbers.shape == shape), None)
    return known[node]


def _fill(source: Node, numbers: Array) -> Array:
    """Return the indices of an argument, or an array of a placeholder if it has none."""
    return np.full(source.shape or (), 0 if source.is_mask else -1) if numbers is None else numbers
