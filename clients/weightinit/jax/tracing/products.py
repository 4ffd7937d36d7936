"""Products: the nodes of kernels that are multiplied by signals, and the axes that each has there."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from weightinit.adapters.flow.graph import Node, Role, collect_parameters
from weightinit.jax.tracing.nodes import Graph
from weightinit.jax.tracing.weights import Weight

Equation = Any  # a jax.extend.core.JaxprEqn

KERNELS = frozenset(["kernel", "w", "weight"])


def multiply(graph: Graph, equation: Equation, sources: list[Node]) -> list[Node]:
    """Add the product of a signal and a kernel, of two signals, or of two parameters."""
    form, params = equation.outvars[0].aval, equation.params
    ragged = params.get("ragged_dot_dimension_numbers")
    contracted, batched = ragged.dot_dimension_numbers if ragged else params["dimension_numbers"]
    stacked = [batched[0], [*batched[1], *(ragged.rhs_group_dimensions if ragged else ())]]
    weights = {side: weight for side in (0, 1) if (weight := graph.weights.get(sources[side]))}
    known = {side: weight for side, weight in weights.items() if weight.pieces}
    if len(known) == 2:  # of which one is data: positions, or tokens that are learned
        known = {side: weight for side, weight in known.items() if _is_called_kernel(weight)}
    if len(known) != 1:
        return [_add_plain(graph, equation, sources)]
    side, weight = known.popitem()
    letters = ["O"] * len(weight.dims)
    for letter, axes in (("I", contracted[side]), ("B", stacked[side])):
        for axis in axes:
            letters[axis] = letter
    free = letters.count("O")
    first = len(form.shape) - free if side else len(batched[side])
    # Several axes of outputs are one, until the product has been made.
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
    """Add the product that applies a kernel."""
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
    """Add a product of which no operand is known as a kernel; a parameter in it may be one."""
    form, operands = equation.outvars[0].aval, sources[:2]
    if all(source.is_constant for source in operands):
        return graph.derive(form, operands)
    lost = collect_parameters(operands)
    graph.uses.lost |= lost
    role = Role.PRODUCT if lost else Role.MIX
    return graph.add(form, role, label=equation.primitive.name, inputs=tuple(dict.fromkeys(sources)))


def _is_called_kernel(weight: Weight) -> bool:
    """Tell whether a parameter is called a kernel, beside another that is not."""
    return any(piece.path.rpartition("/")[2] in KERNELS for piece in weight.pieces)
