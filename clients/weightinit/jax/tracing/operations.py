"""Add the nodes of equations, except products and calls of other programs."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from weightinit.adapters.flow.graph import BLENDING, Array, Node, Role, find_sources
from weightinit.jax.tracing.changes import change_weight
from weightinit.jax.tracing.moves import make_move, overlay
from weightinit.jax.tracing.nodes import Graph, is_inexact, read_number
from weightinit.jax.tracing.outputs import find_output_axes
from weightinit.jax.tracing.primitives import KEEPING, ROLES, evaluate
from weightinit.jax.tracing.weights import Weight, join, move_weight

Equation = Any  # a jax.extend.core.JaxprEqn
DType = Any

MATRIX = 2  # an axis of inputs and an axis of outputs


def apply(graph: Graph, equation: Equation, sources: list[Node]) -> list[Node]:
    """Add the nodes of an operation."""
    name, forms = equation.primitive.name, [atom.aval for atom in equation.outvars]
    if all(source.is_constant for source in sources):
        return _derive(graph, equation, sources)
    role = _find_role(equation, sources)
    if name in {"gather", "dynamic_slice"} and sources[0].is_constant:
        return [_look_up(graph, equation, sources)]
    if name == "select_n" and not _share_kernel(sources[0], sources[1:]):
        return [graph.move(forms[0], Role.MOVE, overlay, sources[1:], name)]  # a mask, or dropout
    if role in {Role.MOVE, Role.SPLIT}:
        return _move(graph, equation, sources, role)
    if name == "reduce_sum":
        _note_hidden(graph, equation, sources[0])
    return _add(graph, equation, sources, role)


def _add(graph: Graph, equation: Equation, sources: list[Node], role: Role) -> list[Node]:
    """Add the nodes of an operation on signals."""
    name, forms = equation.primitive.name, [atom.aval for atom in equation.outvars]
    fields: dict[str, Any] = {"inputs": tuple(dict.fromkeys(sources)), "label": name}
    if role is Role.UNKNOWN and name in ROLES:
        fields["why"] = "the largest of several outputs follows, as in Maxout"
    if role in BLENDING:
        fields |= {"call": partial(_compute, name, equation.params), "arguments": tuple(sources)}
    if name == "div" and (exponential := _find_softmax(sources)) is not None:
        role = Role.ACTIVATION
        fields |= {"inputs": exponential.inputs, "activation": "softmax"}
    if role is Role.PRODUCT:
        fields["is_mask"] = False  # argmax: positions, at which the signal ends
    made = [graph.add(form, role, **fields) for form in forms]
    if role is Role.MULTIPLY:
        _modulate(graph, equation, sources, made[0])
    return made


def _find_role(equation: Equation, sources: Sequence[Node]) -> Role:
    """Return the role of an operation."""
    name = equation.primitive.name
    if all(source.is_constant or source.role is Role.IGNORED for source in sources):
        return Role.IGNORED  # random numbers, and values derived from them
    if name == "reduce_max" and _is_maxout(equation, sources[0]):
        return Role.UNKNOWN
    return ROLES.get(name, Role.UNKNOWN)


def _modulate(graph: Graph, equation: Equation, sources: list[Node], made: Node) -> None:
    """Record a kernel that is scaled by a function of the inputs: one factor, or one per channel."""
    for node, factor in (sources, sources[::-1]):
        weight = graph.weights.get(node)
        if weight is None or weight.rank < MATRIX:
            continue
        given = factor.inputs[0] if factor.label == "broadcast_in_dim" else factor
        if math.prod(given.shape or ()) < math.prod(made.shape or ()):
            changed = change_weight(graph, equation, sources)
            graph.weights |= {made: changed} if changed else {}
            return


def _derive(graph: Graph, equation: Equation, sources: list[Node]) -> list[Node]:
    """Add constants computed from numbers and parameters, following the parameters' axes."""
    name, forms = equation.primitive.name, [atom.aval for atom in equation.outvars]
    numbers, weights = [source.tensor for source in sources], [graph.weights.get(one) for one in sources]
    known = [weight for weight in weights if weight is not None]
    number, moved = None, list[Weight | None]([None] * len(forms))
    if ROLES.get(name) in BLENDING and None not in numbers:
        number = read_number(evaluate(name, equation.params, numbers))
    is_elementwise = ROLES.get(name) in BLENDING or name in {"complex", "conj", "real"}
    if is_elementwise:
        moved = [change_weight(graph, equation, sources)]
    elif name in KEEPING | {"broadcast_in_dim", "reshape", "squeeze"}:
        number = numbers[0]
    if name == "concatenate" and len(known) == len(sources):
        moved = [join(known, equation.params["dimension"], forms[0].shape)]
    elif weights and weights[0] is not None and not is_elementwise:
        moved = move_weight(equation, weights[0])
    pairs = zip(forms, moved, strict=True)
    return [graph.derive(form, sources, number, weight, name) for form, weight in pairs]


def _move(graph: Graph, equation: Equation, sources: list[Node], role: Role) -> list[Node]:
    """Add nodes that move elements. An operation that keeps all in place returns its sources."""
    name, forms = equation.primitive.name, [atom.aval for atom in equation.outvars]
    if name in KEEPING and all(
        source.is_mask is not is_inexact(form) for source, form in zip(sources, forms, strict=False)
    ):
        return sources[: len(forms)]
    made = []
    for place, form in enumerate(forms):
        if is_inexact(form):
            call = None if name == "fft" else make_move(equation)
            node = graph.move(form, role, call, sources, name)
            node.output = place if equation.primitive.multiple_results else None
            weight = graph.weights.get(sources[0])
            if weight is not None and weight.pieces and not sources[0].is_constant:
                graph.weights[node] = move_weight(equation, weight)[place] or Weight.lose(form.shape)
        elif name in {"sort", "top_k"}:  # the original positions of the elements
            node = graph.add(form, Role.IGNORED, label=name, inputs=tuple(dict.fromkeys(sources)))
        else:  # a mask, or a signal rounded to integers
            inputs = tuple(dict.fromkeys(source for source in sources if not source.is_constant))
            call = partial(_truncate, form.dtype)
            node = graph.add(form, Role.ELEMENTWISE, label=name, call=call, arguments=inputs, inputs=inputs)
        made.append(node)
    return made


def _note_hidden(graph: Graph, equation: Equation, source: Node) -> None:
    """Record a kernel in a product that is written as an elementwise multiplication and a sum."""
    for factor in source.arguments if source.role is Role.MULTIPLY else ():
        weight = graph.weights.get(factor)
        summed = [weight.dims[axis] for axis in equation.params["axes"]] if weight else []
        if weight and weight.rank > 1 and any(axis is not None for atoms in summed for axis, _ in atoms):
            graph.uses.lose(piece.path for piece in weight.pieces)


def _look_up(graph: Graph, equation: Equation, sources: list[Node]) -> Node:
    """Add a lookup, by input-dependent indices, of rows of a table or of one of several stacked kernels."""
    form, weight = equation.outvars[0].aval, graph.weights.get(sources[0])
    role = Role.PRODUCT if is_inexact(form) else Role.IGNORED
    node = graph.add(form, role, label=equation.primitive.name, inputs=tuple(dict.fromkeys(sources)))
    if weight is not None and weight.pieces:
        if len(weight.dims) > 2:
            graph.weights[node] = move_weight(equation, weight)[0] or Weight.lose(form.shape)
        else:
            graph.uses.lookups.update(piece.path for piece in weight.pieces)
    return node


def _compute(name: str, params: dict[str, Any], *operands: Array) -> Array:
    return evaluate(name, params, operands)


def _truncate(dtype: DType, array: Array, *_: Array) -> Array:
    return array != 0 if np.dtype(dtype) == bool else np.trunc(np.asarray(array, dtype=float))


def _share_kernel(mask: Node, cases: Sequence[Node]) -> bool:
    """Return whether a mask may depend on the values that it selects from."""
    kernels = {source for source in find_sources(mask) if source.parameters}
    return any(source in kernels for case in cases for source in find_sources(case))


def _is_maxout(equation: Equation, source: Node) -> bool:
    """Return whether the maximum is over some axes of a kernel's outputs, rather than over positions."""
    axes, taken = find_output_axes(source) or frozenset(), frozenset(equation.params["axes"])
    return bool(axes & taken) and not axes <= taken


def _find_softmax(sources: Sequence[Node]) -> Node | None:
    """Return the exponential that is divided by its own sum; None if there is none."""
    exponential, divisor = sources
    while divisor.role is Role.MOVE and len(divisor.inputs) == 1:
        divisor = divisor.inputs[0]
    is_sum = divisor.label == "reduce_sum" and divisor.inputs == (exponential,)
    return exponential if is_sum and exponential.label == "exp" else None
