"""Trace how an operand of a product is computed from a parameter.

A parameter may be transposed, reshaped, scaled, masked or concatenated before the product that uses it as its
kernel. `read_operand` finds which axes of the parameter each axis of the operand has, and whether the values
change.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from weightinit.adapters.flow.graph import Node, find_nodes, fold, substitute

# Functions that concatenate tensors; the axes stay in place.
JOINS = frozenset(
    ["cat", "columnstack", "concat", "concatenate", "dstack", "hstack", "rowstack", "stack", "vstack"]
)
STACKS = frozenset(["stack"])  # those that add an axis
# Functions that select stacked kernels by index.
PICKS = frozenset(["getitem", "index", "indexselect"])

# The most elements of a parameter that is evaluated numerically.
MAX_ELEMENTS = 1 << 20
TOLERANCE = 1e-2  # norms add a small number to the divisor

FUNCTION = "Its product applies a function of it, for which its σ does not allow."
NORMALIZED = "It is normalized before its product, so its scale has no effect."


@dataclass(frozen=True, slots=True)
class Operand:
    """A parameter as an operand of a product: the sizes of its axes and which axes they derive from.

    `axes` are the axes of the parameter along each axis of the operand; None if unknown. `change` describes
    how the values change, "" if they do not; `is_scaled` if this changes the needed σ. `has_others` if the
    operand contains other kernels too, or a selection of stacked ones.
    """

    shape: tuple[int, ...]
    axes: tuple[frozenset[int], ...] | None
    change: str = ""
    is_scaled: bool = False
    has_others: bool = False


def read_operand(node: Node, parameter: torch.Tensor) -> Operand | None:
    """Return how an operand is computed from a parameter; None if it cannot be evaluated or was broadcast."""
    shape = tuple(parameter.shape)
    if node.tensor is not None:
        return Operand(shape, tuple(frozenset([axis]) for axis in range(len(shape))))
    for dtype in (torch.float32, torch.long):  # the dtype assumed for inputs, which may be indices
        tracer = AxisTracer(parameter, dtype)
        with suppress(Exception):  # any operation of PyTorch, on stand-ins
            made, held = tracer.get(node)
            break
    else:
        return None
    if tracer.is_spread and not tracer.has_others:  # broadcast: a factor of the kernel
        return None
    change, is_scaled = ("", False) if tracer.is_view else find_change(node, parameter)
    axes = None if held is None or held.ndim != made.ndim else tracer.list_axes(held)
    return Operand(tuple(made.shape), axes, change, is_scaled, tracer.has_others)


class AxisTracer:
    """Traces the axes of a parameter through the operations on it, on meta tensors.

    The strides of a view show which axes of the parameter it has. Elementwise functions keep the axes.
    """

    def __init__(self, parameter: torch.Tensor, dtype: torch.dtype) -> None:
        self.is_view = True
        self.has_others = False
        self.is_spread = False
        self._dtype = dtype
        self._parameter = parameter
        self._whole = torch.empty(tuple(parameter.shape), device="meta")
        self._known: dict[Node, tuple[Any, torch.Tensor | None]] = {}

    def get(self, node: Node) -> tuple[Any, torch.Tensor | None]:
        """Return a node's meta tensor, and the view of the parameter that it corresponds to, if any."""
        if node not in self._known:
            self._known[node] = self._make(node)
        return self._known[node]

    def _make(self, node: Node) -> tuple[Any, torch.Tensor | None]:
        if node.tensor is not None:
            if id(self._parameter) in node.parameters:
                return self._whole, self._whole
            return torch.empty_like(node.tensor, device="meta"), None
        if not node.is_constant:  # an unknown shape: most likely indices
            return torch.zeros(node.shape or 1, dtype=self._dtype, device="meta"), None
        made = call_node(node, lambda one: self.get(one)[0])
        sources = find_nodes((node.arguments, node.keywords))
        held = [view for _, view in map(self.get, sources) if view is not None]
        if not held or not isinstance(made, torch.Tensor):
            return made, held[0] if held else None
        return made, self._hold(node, made, held[0])

    def _hold(self, node: Node, made: torch.Tensor, source: torch.Tensor) -> torch.Tensor | None:
        """Return the view of the parameter that a node corresponds to, given that of its input."""
        name = fold(getattr(node.call, "__name__", ""))
        if name in JOINS:
            self.is_view, self.has_others = False, True
            place = node.keywords.get("dim", (*node.arguments, 0)[1])
            return source.unsqueeze(place) if name in STACKS else source
        try:
            view = call_node(node, self._view)
        except Exception:  # noqa: BLE001 - the sizes are those after a concatenation
            view = None
        if isinstance(view, torch.Tensor) and share_storage(view, self._whole):
            return view
        if name in PICKS:
            self.has_others = True
            return pick_kernel(node, made, source)
        self.is_view = False
        self.is_spread |= made.numel() > source.numel() and source.numel() == self._whole.numel()
        return source if source.ndim == made.ndim else None

    def _view(self, node: Node) -> Any:  # noqa: ANN401 - a tensor, or several
        made, view = self.get(node)
        return made if view is None else view

    def list_axes(self, view: torch.Tensor) -> tuple[frozenset[int], ...]:
        """Return the axes of the parameter along each axis of a view of it."""
        if view.shape == self._whole.shape and view.stride() == self._whole.stride():
            return tuple(frozenset([axis]) for axis in range(view.ndim))
        spans = [
            (axis, stride, stride * size)
            for axis, (size, stride) in enumerate(zip(self._whole.shape, self._whole.stride(), strict=True))
            if size > 1
        ]
        found = [
            frozenset(axis for axis, low, high in spans if size > 1 and low < stride * size and stride < high)
            for size, stride in zip(view.shape, view.stride(), strict=True)
        ]
        single = [axis for axis, size in enumerate(self._whole.shape) if size == 1]
        places = [place for place, size in enumerate(view.shape) if size == 1]
        if len(single) == len(places) == 1:  # an axis of length one, which strides do not show
            found[places[0]] = frozenset(single)
        return tuple(found)


def pick_kernel(node: Node, made: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Return the view of one of the selected stacked kernels, with axes for the number selected."""
    index = node.arguments[1] if len(node.arguments) > 1 else None
    axis = 0
    if isinstance(index, tuple):
        axis = next((place for place, one in enumerate(index) if isinstance(one, Node)), 0)
    elif isinstance(index, int):
        axis = index
    one = source.select(axis, 0)
    for _ in range(made.ndim - one.ndim):
        one = one.unsqueeze(axis)
    return one


def call_node(node: Node, get: Callable[[Node], Any]) -> Any:  # noqa: ANN401 - a tensor, or several
    """Call a node's operation on its tensors. Raises what it raises, and TypeError if there is none."""
    if node.call is None:
        raise TypeError("nothing computes it")
    made = node.call(*substitute(node.arguments, get), **substitute(node.keywords, get))
    return made[node.output] if node.output is not None and isinstance(made, tuple | list) else made


def share_storage(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two tensors have the same storage."""
    return bool(one.untyped_storage()._cdata == other.untyped_storage()._cdata)  # noqa: SLF001 - no public way


def find_change(node: Node, parameter: torch.Tensor) -> tuple[str, bool]:
    """Return how a function changes a parameter, and whether that changes the needed σ.

    The function is evaluated on random values, on their double and on their negative.
    """
    if parameter.numel() > MAX_ELEMENTS:
        return "Its product applies what is computed of it, and it is too large to see what.", True
    draw = torch.randn(tuple(parameter.shape), generator=torch.Generator().manual_seed(0))
    try:
        once, twice, negative = (compute(node, parameter, draw * factor) for factor in (1.0, 2.0, -1.0))
    except Exception:  # noqa: BLE001 - any operation of PyTorch, and tensors without memory
        return FUNCTION, True
    if once.is_complex() or not bool(torch.isfinite(once).all()) or not bool(once.any()):
        return FUNCTION, True
    if not are_close(negative, -once):  # an even function, or one with an added constant
        return ("", False) if bool(torch.isin(draw, once).all()) else (FUNCTION, True)
    if are_close(twice, once):
        return NORMALIZED, False
    return describe_scale(once, draw) if are_close(twice, 2 * once) else (FUNCTION, True)


def describe_scale(made: torch.Tensor, draw: torch.Tensor) -> tuple[str, bool]:
    """Describe the change of values where a function's result is proportional to its argument."""
    zeros = float((made == 0).double().mean())
    if zeros:
        return f"{zeros:.0%} of it are masked, so its units sum fewer inputs than its shape says.", True
    factor = float(made.double().std() / draw.double().std())
    if abs(factor - 1) > TOLERANCE and not bool(torch.isin(made, draw).all()):
        return f"It is multiplied by {factor:.3g} before its product, for which its σ does not allow.", True
    return "", False


def compute(node: Node, parameter: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Evaluate an operand with values in place of a parameter's."""
    known: dict[Node, Any] = {}

    def get(one: Node) -> Any:  # noqa: ANN401 - a tensor
        if one not in known:
            known[one] = make(one)
        return known[one]

    def make(one: Node) -> Any:  # noqa: ANN401 - a tensor
        if one.tensor is not None:
            return values.clone() if id(parameter) in one.parameters else read_values(one.tensor)
        return call_node(one, get)

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        made = get(node)
    if not isinstance(made, torch.Tensor):
        raise TypeError("it is no tensor")
    return made


def read_values(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy of a tensor on the CPU. Raises TypeError if it has no values."""
    if tensor.is_meta:
        raise TypeError("it has no values")
    return tensor.detach().cpu().clone()


def are_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two tensors are nearly equal, relative to the largest value."""
    scale = float(other.abs().max())
    return bool((one - other).abs().max() <= TOLERANCE * scale)
