"""Moves: what becomes of a kernel or a signal where its elements are only moved, pooled or picked."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from weightinit.jax.tracing.primitives import PICKING, REDUCING
from weightinit.jax.tracing.values import Opaque, Signal, Value, Weight

Equation = Any  # a jax.extend.core.JaxprEqn

# What keeps both the number of axes and their meaning.
# fmt: off
KEEPING = frozenset([
    "convert_element_type", "copy", "copy_p", "dynamic_slice", "name", "optimization_barrier", "pad",
    "pbroadcast", "psum", "pvary", "reduce_precision", "rev", "sharding_constraint", "slice", "stop_gradient",
])
# fmt: on


def move(equation: Equation, value: Value) -> list[Value]:
    """Return what an operation that moves elements makes of its first operand."""
    outputs = len(equation.outvars)
    if isinstance(value, Opaque):
        keeps = equation.primitive.name in {*KEEPING, "broadcast_in_dim", "reshape", "squeeze"}
        return [value if keeps else Opaque()] * outputs
    if isinstance(value, Weight):
        return [_move_weight(equation, value, atom.aval.shape) for atom in equation.outvars]
    if equation.primitive.name == "split":
        return _split(equation, value)
    return [_move_signal(equation, value)] * outputs


def join(weights: Sequence[Weight], axis: int, shape: Sequence[int]) -> Weight:
    """Join kernels along an axis, each of which is a kernel of its own there."""
    fits = all(len(weight.pieces) == 1 and len(weight.dims) == len(shape) for weight in weights)
    kinds = {tuple(tuple(axes for axes, _ in atoms) for atoms in weight.dims) for weight in weights}
    if not fits or len(kinds) != 1:
        return Weight((), tuple(((None, length),) for length in shape))
    pieces = tuple((weight.pieces[0][0], weight.shape[axis]) for weight in weights)
    return Weight(pieces, weights[0].dims, axis)


def _move_weight(equation: Equation, weight: Weight, shape: Sequence[int]) -> Value:  # noqa: PLR0911 - a case each
    name, params, rank = equation.primitive.name, equation.params, len(weight.dims)
    if name in REDUCING:
        return Opaque()  # a norm of the kernel, by which it may be divided
    if name in KEEPING:
        return weight
    if name == "transpose":
        return weight.permute(params["permutation"])
    if name == "reshape":
        turned = weight.permute(params["dimensions"]) if params["dimensions"] else weight
        return turned.reshape(shape)
    if name == "squeeze":
        dropped = {axis % rank for axis in params["dimensions"]}
        return weight.permute(axis for axis in range(rank) if axis not in dropped)
    if name == "broadcast_in_dim":
        places = {place: axis for axis, place in enumerate(params["broadcast_dimensions"])}
        return weight.permute((places.get(axis) for axis in range(len(shape))), shape)
    return Weight((), tuple(((None, length),) for length in shape), value=weight.value)


def _move_signal(equation: Equation, signal: Signal) -> Signal:  # noqa: PLR0911 - a case each
    name, params, unit = equation.primitive.name, equation.params, signal.unit
    if name in REDUCING:
        axes = params["axes"]
        left = unit is not None and unit not in axes
        unit = unit - sum(axis < unit for axis in axes) if left and unit is not None else None
        return replace(signal, unit=unit, reduced=True)
    if name == "slice":
        return _slice(equation, signal)
    if name in PICKING:
        return signal.pick((name, id(equation))).move(unit if name in KEEPING else None)
    if name in KEEPING or unit is None:
        return signal
    before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    if name == "transpose":
        return signal.move(list(params["permutation"]).index(unit))
    if name == "broadcast_in_dim":
        return signal.move(params["broadcast_dimensions"][unit])
    if name == "squeeze":
        return signal.move(unit - sum(axis % len(before) < unit for axis in params["dimensions"]))
    if name == "reshape" and params["dimensions"] is None:
        return signal.move(_find_unit(before, after, unit))
    return signal.move(None)


def _find_unit(before: Sequence[int], after: Sequence[int], unit: int) -> int | None:
    """Find the axis of another shape that holds the same elements; None where they were cut or joined."""
    ahead = list(itertools.accumulate(before, lambda one, other: one * other, initial=1))[unit]
    products = list(itertools.accumulate(after, lambda one, other: one * other, initial=1))
    places = [axis for axis, length in enumerate(after) if products[axis] == ahead and length == before[unit]]
    return places[-1] if places else None


def _slice(equation: Equation, signal: Signal) -> Signal:
    shape, params = equation.invars[0].aval.shape, equation.params
    starts, stops, strides = params["start_indices"], params["limit_indices"], params["strides"]
    cut = [axis for axis, length in enumerate(shape) if (starts[axis], stops[axis]) != (0, length)]
    if strides is None and cut == [signal.unit]:
        return signal.pick(None, starts[cut[0]], stops[cut[0]])
    return signal.pick((tuple(starts), tuple(stops), strides)) if cut or strides else signal


def _split(equation: Equation, signal: Signal) -> list[Value]:
    sizes, axis = equation.params["sizes"], equation.params["axis"]
    parts: list[Value] = []
    first = 0
    for size in sizes:
        if axis == signal.unit:
            parts.append(signal.pick(None, first, first + size))
        else:
            parts.append(signal.pick((axis, first, size)))
        first += size
    return parts
