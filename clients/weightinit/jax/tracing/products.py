"""Add the nodes of products and convolutions, and record the axes of the kernels in them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from weightinit.adapters.flow.graph import Node, Role, collect_parameters
from weightinit.jax.tracing.nodes import Graph
from weightinit.jax.tracing.outputs import find_output_axes
from weightinit.jax.tracing.weights import Weight

Equation = Any  # a jax.extend.core.JaxprEqn
Array = Any  # of NumPy

KERNELS = frozenset(["kernel", "w", "weight"])


def multiply(graph: Graph, equation: Equation, sources: list[Node]) -> list[Node]:
    """Add the product of a signal and a kernel, of two signals, or of two parameters."""
    form, params = equation.outvars[0].aval, equation.params
    ragged = params.get("ragged_dot_dimension_numbers")
    contracted, batched = ragged.dot_dimension_numbers if ragged else params["dimension_numbers"]
    stacked = [batched[0], [*batched[1], *(ragged.rhs_group_dimensions if ragged else ())]]
    weights = {side: weight for side in (0, 1) if (weight := graph.weights.get(sources[side]))}
    known = {side: weight for side, weight in weights.items() if weight.pieces}
    if len(known) == 2 and sources[0].is_constant is not sources[1].is_constant:
        known = {side: weight for side, weight in known.items() if sources[side].is_constant}
    if len(known) == 2:  # one of the two is data, such as learned positions or tokens
        known = {side: weight for side, weight in known.items() if _is_called_kernel(weight)}
    if len(known) != 1 or _is_own(known, sources):
        return [_add_plain(graph, equation, sources)]
    side, weight = known.popitem()
    _lose_others(graph, sources[side], weight)
    letters = ["O"] * len(weight.dims)
    for letter, axes in (("I", contracted[side]), ("B", stacked[side])):
        for axis in axes:
            letters[axis] = letter
    free = letters.count("O")
    first = len(form.shape) - free if side else len(batched[side])
    # Several output axes are merged into one for the product.
    count = math.prod(form.shape[first : first + free])
    shape = (*form.shape[:first], count, *form.shape[first + free :])
    node = _add_product(graph, equation, sources, weight, shape, first)
    graph.uses.note(node, weight, letters, 1, count)
    if free == 1:
        return [node]
    return [graph.move(form, Role.MOVE, lambda array: array.reshape(form.shape), [node], "reshape")]


def convolve(graph: Graph, equation: Equation, sources: list[Node]) -> list[Node]:
    """Add the convolution of a signal with a kernel."""
    weight, params = graph.weights.get(sources[1]), equation.params
    numbers, shape = params["dimension_numbers"], tuple(equation.outvars[0].aval.shape)
    if weight is None or not weight.pieces or params["batch_group_count"] != 1:
        return [_add_plain(graph, equation, sources)]
    _lose_others(graph, sources[1], weight)
    outputs, inputs, *field = numbers.rhs_spec
    names = "DHW"[-len(field) :] if len(field) <= 3 else "W" * len(field)
    letters = dict(zip(sorted(field), names, strict=True)) | {outputs: "O", inputs: "I"}
    axis = numbers.out_spec[1]
    node = _add_product(graph, equation, sources, weight, shape, axis)
    spelled = [letters[axis] for axis in range(len(weight.dims))]
    graph.uses.note(node, weight, spelled, params["feature_group_count"], shape[axis])
    return [node]


def _add_product(
    graph: Graph, equation: Equation, sources: Iterable[Node], weight: Weight, shape: Sequence[int], axis: int
) -> Node:
    """Add the node of a product that uses a kernel."""
    return graph.add(
        equation.outvars[0].aval,
        Role.PRODUCT,
        label=equation.primitive.name,
        inputs=tuple(dict.fromkeys(sources)),
        parameters=frozenset(piece.path for piece in weight.pieces),
        shape=tuple(shape),
        axis=axis,
    )


def _add_plain(graph: Graph, equation: Equation, sources: Sequence[Node]) -> Node:
    """Add a product without a known kernel; a parameter in it may still be one."""
    form, operands = equation.outvars[0].aval, sources[:2]
    if all(source.is_constant for source in operands):
        return graph.derive(form, operands)
    lost = collect_parameters(operands)
    graph.uses.lose(lost)
    fed = [side for side, source in enumerate(operands) if source in graph.fed]
    is_dense = equation.primitive.name == "dot_general"
    if is_dense and len(fed) == 1 and not graph.weights.keys() & operands:
        return _mix(graph, equation, operands[fed[0]], fed[0], is_fixed=operands[1 - fed[0]].is_constant)
    role = Role.PRODUCT if lost else Role.MIX
    return graph.add(form, role, label=equation.primitive.name, inputs=tuple(dict.fromkeys(sources)))


def _mix(graph: Graph, equation: Equation, signal: Node, side: int, *, is_fixed: bool) -> Node:
    """Add the product of a signal with something other than a kernel, such as an adjacency matrix.

    The result is still the signal. But if it multiplies the outputs of a kernel by inputs, and other outputs
    remain, these may be a kernel that a network computes: unknown.
    """
    form, name = equation.outvars[0].aval, equation.primitive.name
    (contracted, batched), axes = equation.params["dimension_numbers"], find_output_axes(signal)
    mixed = set() if axes is None else axes & {*contracted[side], *batched[side]}
    if mixed and mixed == axes and not is_fixed:
        return graph.add(form, Role.PRODUCT, label=name, inputs=(signal,))
    if mixed and not is_fixed:
        why = "its outputs may be a kernel themselves, which inputs are multiplied by"
        return graph.add(form, Role.UNKNOWN, label=name, inputs=(signal,), why=why)
    numbers = contracted[side], batched[side]
    return graph.move(form, Role.MOVE, partial(_move, numbers, side, form.shape), [signal], name)


def _move(numbers: Any, side: int, shape: Sequence[int], array: Array) -> Array:  # noqa: ANN401 - axes
    """Move the indices of outputs like a product; the elements that it sums must have equal indices."""
    contracted, batched = (list(axes) for axes in numbers)
    for axis in contracted:
        first = array.take([0], axis)
        if (first != array).any():
            raise ValueError("it adds the outputs of a kernel to each other")
        array = np.broadcast_to(first, array.shape)
    free = [axis for axis in range(array.ndim) if axis not in {*batched, *contracted}]
    moved = array.transpose([*contracted, *batched, *free])[(0,) * len(contracted)]
    added = [1] * (len(shape) - moved.ndim)
    batch, rest = moved.shape[: len(batched)], moved.shape[len(batched) :]
    lengths = [*batch, *added, *rest] if side else [*batch, *rest, *added]
    return np.broadcast_to(moved.reshape(lengths), shape)


def _is_own(known: Mapping[int, Weight], sources: Sequence[Node]) -> bool:
    """Return whether a kernel is multiplied by a value computed from itself, so that there is no signal."""
    paths = {piece.path for weight in known.values() for piece in weight.pieces}
    return all(source.is_constant and paths & source.parameters for source in sources[:2])


def _lose_others(graph: Graph, source: Node, weight: Weight) -> None:
    """Record that a kernel is computed from other leaves too, except vectors, as in weight normalization."""
    pieces = {piece.path for piece in weight.pieces}
    others = [path for path in source.parameters - pieces if graph.uses.is_matrix(path)]
    graph.uses.lose(others, f"{min(pieces)} is changed by it before its product")


def _is_called_kernel(weight: Weight) -> bool:
    """Return whether a parameter has the name of a kernel."""
    return any(piece.path.rpartition("/")[2] in KERNELS for piece in weight.pieces)
