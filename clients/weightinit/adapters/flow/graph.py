"""Graphs: what a model computes, as the adapters see it, whatever its framework."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np

# Of the framework, or of NumPy.
Array = Any
# Tensors, nodes or other things, in tuples, lists, slices and dictionaries.
Structure = Any


class Role(Enum):
    """What an operation does to a signal on its way from a kernel to the next one."""

    INPUT = "input"  # of the model
    CONSTANT = "constant"  # a parameter, a buffer or a number
    MOVE = "move"  # moves, drops, repeats or pools elements: what is around zero stays around zero
    SPLIT = "split"  # the same, and may part the outputs of one kernel
    NORM = "norm"  # shifts and scales by what it has measured
    REDUCE = "reduce"  # a mean or a maximum: a pool, or a part of a norm written by hand
    STATISTIC = "statistic"  # a variance or a norm: positive, and no signal
    ELEMENTWISE = "elementwise"  # a function of each element
    ADD = "add"  # elementwise; another signal may be added
    MULTIPLY = "multiply"  # elementwise; another signal may scale or gate it
    ACTIVATION = "activation"  # known by name alone, as softmax is: no function of each element
    MIX = "mix"  # a product with what is no kernel: adds up elements, as attention does of its values
    PRODUCT = "product"  # a kernel, a product of matrices or a loss: the signal ends here
    IGNORED = "ignored"  # returns no signal: a shape, an index, a mask
    OUTPUT = "output"  # of the model
    UNKNOWN = "unknown"


PASSING = frozenset([Role.MOVE, Role.SPLIT, Role.NORM, Role.REDUCE])
BLENDING = frozenset([Role.ELEMENTWISE, Role.ADD, Role.MULTIPLY])


@dataclass(eq=False, repr=False, slots=True)
class Node:
    """A tensor of a graph: what computes it, from which others.

    `call` computes it from `arguments` and `keywords`, in which nodes stand for tensors. `label` describes it
    for people; `activation` is the name of the activation that it is known to be. `tensor` is that of a
    constant. `parameters` are the keys of those that make up a constant, or whose kernel a product applies.
    `values` is the operand whose elements a mix adds up; None if it may be either.
    """

    index: int
    role: Role
    label: str = ""
    call: Callable[..., Any] | None = None
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    inputs: tuple["Node", ...] = ()
    users: list["Node"] = field(default_factory=list)
    shape: tuple[int, ...] | None = None
    activation: str | None = None
    why: str = ""
    tensor: Any = None
    parameters: frozenset[Any] = frozenset()
    axis: int = -1
    is_mask: bool = False
    output: int | None = None
    values: "Node | None" = None

    def __repr__(self) -> str:
        return f"<{self.index}: {self.role.value} {self.label}>"

    @property
    def is_constant(self) -> bool:
        """Whether it is the same for all inputs of the model."""
        return self.role is Role.CONSTANT


class Arrays(Protocol):
    """How a framework's arrays are made and read, to evaluate its operations."""

    def make(self, values: Array) -> Array:
        """Make a float64 array of NumPy's."""
        ...

    def make_indices(self, count: int, shape: Sequence[int], axis: int) -> Array:
        """Make an integer array of a shape, in which elements count from one along an axis."""
        ...

    def make_filled(self, value: float, shape: Sequence[int]) -> Array:
        """Make an array of a shape, of one value: of integers where that is one."""
        ...

    def read(self, array: Array) -> Array:
        """Read an array as NumPy's."""
        ...

    def find_uniform(self, tensor: Array) -> float | None:
        """Return the value that all elements of a tensor have; None if there is none, or no memory."""
        ...


class NumpyArrays:
    """NumPy's arrays, as stand-ins for signals: of double precision, which a framework may lack."""

    def make(self, values: Array) -> Array:
        """Make an array of one."""
        return np.array(values)

    def make_indices(self, count: int, shape: Sequence[int], axis: int) -> Array:
        """Make an array of a shape, in which elements count from one along an axis."""
        lengths = [1] * len(shape)
        lengths[axis] = count
        return np.broadcast_to(np.arange(1.0, count + 1).reshape(lengths), tuple(shape))

    def make_filled(self, value: float, shape: Sequence[int]) -> Array:
        """Make an array of a shape, of one value: of integers where that is one."""
        return np.full(tuple(shape), value)

    def read(self, array: Array) -> Array:
        """Read an array."""
        return np.asarray(array)

    def find_uniform(self, tensor: Array) -> float | None:
        """Return the value that all elements have, which is all that is kept of a constant."""
        return None if tensor is None else float(tensor)


def substitute(value: Structure, replace: Callable[[Node], Array]) -> Structure:
    """Replace the nodes in an argument: in tuples, lists, slices and dictionaries too."""
    if isinstance(value, Node):
        return replace(value)
    if isinstance(value, tuple | list):
        items = [substitute(item, replace) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, slice):
        return slice(*(substitute(item, replace) for item in (value.start, value.stop, value.step)))
    if isinstance(value, dict):
        return {key: substitute(item, replace) for key, item in value.items()}
    return value


def freeze(value: Structure, tell: Callable[[Node], Hashable]) -> Hashable:
    """Describe an argument by what can be compared and hashed, given what to tell of each node in it."""
    if isinstance(value, Node):
        return Node, tell(value)
    if isinstance(value, tuple | list):
        return type(value), *(freeze(item, tell) for item in value)
    if isinstance(value, slice):
        return slice, *(freeze(item, tell) for item in (value.start, value.stop, value.step))
    if isinstance(value, dict):
        return dict, *((key, freeze(item, tell)) for key, item in value.items())
    return type(value), value


def find_nodes(value: Structure) -> list[Node]:
    """Find the nodes in an argument, in order."""
    found: list[Node] = []
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, Node):
            found.append(one)
        elif isinstance(one, tuple | list):
            pending.extend(reversed(one))
        elif isinstance(one, dict):
            pending.extend(reversed(one.values()))
        elif isinstance(one, slice):
            pending.extend((one.step, one.stop, one.start))
    return found


def collect_parameters(nodes: Iterable[Node]) -> frozenset[Any]:
    """Collect the keys of the parameters that constants derive from."""
    return frozenset(key for node in nodes if node.is_constant for key in node.parameters)


def fold(name: str) -> str:
    """Fold the name of an operation's class, function or method: all spellings of it become one.

    >>> fold("LeakyReLU"), fold("relu_"), fold("__rsub__"), fold("max_pool2d")
    ('leakyrelu', 'relu', 'rsub', 'maxpool2d')
    """
    return name.lower().replace("_", "")


def comes_of(start: Node, node: Node) -> bool:
    """Tell whether a node comes of a start, by any way: such a factor scales the signal, and gates none."""
    seen, pending = {node}, [node]
    while pending:
        last = pending.pop()
        if last is start:
            return True
        fresh = [source for source in last.inputs if source.index >= start.index and source not in seen]
        seen.update(fresh)
        pending += fresh
    return False


def find_sources(node: Node) -> list[Node]:
    """Find the nodes that a node may be a function of."""
    sources, seen, pending = [], {node}, [node]
    while pending:
        node = pending.pop()
        if node.role in {Role.PRODUCT, Role.MIX, Role.SPLIT, Role.INPUT}:
            sources.append(node)
        if node.role in PASSING | BLENDING:
            fresh = [source for source in node.inputs if source not in seen and not source.is_constant]
            seen.update(fresh)
            pending += fresh
    return sources


def is_projected(node: Node) -> bool:
    """Tell whether a node is the output of a kernel still: moved, normalized, scaled or added to others."""
    seen, pending = {node}, [node]
    while pending:
        last = pending.pop()
        if last.role is Role.PRODUCT and last.parameters:
            return True
        if last.role in PASSING | {Role.ADD, Role.MULTIPLY, Role.MIX}:
            fresh = [source for source in last.inputs if source not in seen and not source.is_constant]
            seen.update(fresh)
            pending += fresh
    return False
