"""The graph of a model's operations, in a form common to all frameworks.

The tracers of `torch`, `keras` and `jax` build it; the rest of this package analyses it. A node is a tensor
together with the operation that computes it. A signal is a node's value as a function of one kernel's output;
a node's role says what its operation does to a signal.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np

# An array of the framework, or of NumPy.
Array = Any
# Arguments of an operation: tensors, nodes or other values, in tuples, lists, slices and dictionaries.
Structure = Any


class Role(Enum):
    """What an operation does to a signal between two kernels."""

    INPUT = "input"  # of the model
    CONSTANT = "constant"  # a parameter, a buffer or a number
    MOVE = "move"  # moves, drops, repeats or pools elements; a mean of zero stays zero
    SPLIT = "split"  # as MOVE, and may split the outputs of one kernel
    NORM = "norm"  # shifts and scales by measured statistics
    REDUCE = "reduce"  # a mean or a maximum: a pool, or a part of a norm written by hand
    STATISTIC = "statistic"  # a variance or a norm: positive, and not a signal
    ELEMENTWISE = "elementwise"  # a function of each element
    ADD = "add"  # elementwise; another signal may be added
    MULTIPLY = "multiply"  # elementwise; another signal may scale or gate it
    ACTIVATION = "activation"  # known by name only, as softmax: not a function of each element alone
    MIX = "mix"  # a product with something other than a kernel: sums elements, as attention does
    PRODUCT = "product"  # a kernel, a product of matrices or a loss: the signal ends here
    IGNORED = "ignored"  # does not return a signal: a shape, an index, a mask
    OUTPUT = "output"  # of the model
    UNKNOWN = "unknown"


PASSING = frozenset([Role.MOVE, Role.SPLIT, Role.NORM, Role.REDUCE])
BLENDING = frozenset([Role.ELEMENTWISE, Role.ADD, Role.MULTIPLY])


@dataclass(eq=False, repr=False, slots=True)
class Node:
    """A tensor of a graph, with the operation that computes it and its inputs.

    `call` computes it from `arguments` and `keywords`, in which nodes take the place of tensors. `label`
    describes it in messages; `activation` is the name of the activation, if known. `tensor` is a constant's
    value. `parameters` are the keys of the parameters that a constant derives from, or whose kernel a product
    applies. `values` is the operand whose elements a MIX sums; None if it may be either. `axis` is the axis
    of the outputs (channels).
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
        """Whether the value is independent of the model's inputs."""
        return self.role is Role.CONSTANT


class Arrays(Protocol):
    """Creates and reads a framework's arrays, to evaluate its operations."""

    def make(self, values: Array) -> Array:
        """Return a float64 array with the values of a NumPy array."""
        ...

    def make_indices(self, count: int, shape: Sequence[int], axis: int) -> Array:
        """Return an array of a shape, whose elements are their positions along an axis, counted from one."""
        ...

    def make_filled(self, value: float, shape: Sequence[int]) -> Array:
        """Return an array of a shape that is filled with a value; integers if the value is an int."""
        ...

    def read(self, array: Array) -> Array:
        """Return an array as a NumPy array."""
        ...

    def find_uniform(self, tensor: Array) -> float | None:
        """Return the value that all elements of a tensor have; None if they differ or are not in memory."""
        ...


class NumpyArrays:
    """NumPy arrays in place of a framework's: in double precision, which a framework may lack."""

    def make(self, values: Array) -> Array:
        """Return a copy as a NumPy array."""
        return np.array(values)

    def make_indices(self, count: int, shape: Sequence[int], axis: int) -> Array:
        """Return an array of a shape, whose elements are their positions along an axis, counted from one."""
        lengths = [1] * len(shape)
        lengths[axis] = count
        return np.broadcast_to(np.arange(1.0, count + 1).reshape(lengths), tuple(shape))

    def make_filled(self, value: float, shape: Sequence[int]) -> Array:
        """Return an array of a shape that is filled with a value; integers if the value is an int."""
        return np.full(tuple(shape), value)

    def read(self, array: Array) -> Array:
        """Return an array as a NumPy array."""
        return np.asarray(array)

    def find_uniform(self, tensor: Array) -> float | None:
        """Return a constant's uniform value, the only part of it that its node stores, or None."""
        return None if tensor is None else float(tensor)


def substitute(value: Structure, replace: Callable[[Node], Array]) -> Structure:
    """Replace the nodes in an argument, also within tuples, lists, slices and dictionaries."""
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
    """Return a hashable description of an argument; `tell` describes the nodes in it."""
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
    """Return the nodes in an argument, in order."""
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
    """Return the keys of the parameters that the constants among nodes derive from."""
    return frozenset(key for node in nodes if node.is_constant for key in node.parameters)


def fold(name: str) -> str:
    """Normalize the name of an operation's class, function or method, so that all spellings agree.

    >>> fold("LeakyReLU"), fold("relu_"), fold("__rsub__"), fold("max_pool2d")
    ('leakyrelu', 'relu', 'rsub', 'maxpool2d')
    """
    return name.lower().replace("_", "")


def comes_of(start: Node, node: Node) -> bool:
    """Return whether a node derives from a start; such a factor scales the signal and is not a gate."""
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
    """Return the nodes that a node may be a function of: products, splits and inputs."""
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
    """Return whether a node is a kernel's output that was only moved, normalized, scaled or added to."""
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
