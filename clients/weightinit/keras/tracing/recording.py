"""Record the graph of a model from calls on symbolic tensors."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from weightinit.adapters.flow.graph import Node, Role, Structure, fold
from weightinit.keras.layers import Layer, Operation, Tensor
from weightinit.keras.tracing.interception import find_tensors
from weightinit.keras.tracing.operations import make_node, spell
from weightinit.keras.tracing.uses import find_axis

# The length used for an unknown length, and for an unknown batch size.
UNKNOWN_LENGTH = 8
BATCH = 2


class Recorder:
    """The nodes of a graph, in order of execution, and the symbolic tensors that they represent."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.place = ""  # where the current call is, for messages
        self._tensors: dict[int, tuple[Node, Tensor]] = {}  # keeps the tensor, and so its id, alive

    def add_inputs(self, tensors: Sequence[Tensor]) -> None:
        """Add nodes for tensors from outside the graph."""
        for tensor in tensors:
            self.add(Node(0, Role.INPUT, "an input"), [tensor])

    def add_end(self, tensors: Sequence[Tensor], role: Role, label: str) -> None:
        """Add a node at which tensors end."""
        inputs = tuple(dict.fromkeys(map(self.find, tensors)))
        self._append(Node(0, role, label, inputs=inputs))

    def record(
        self,
        operation: Operation,
        args: tuple[Any, ...],
        keywords: dict[str, Any],
        outputs: Any,
        call: Callable[..., Any] | None = None,
    ) -> Any:
        """Record an operation or layer as a node, and return its outputs. `call` computes them."""
        name = name_operation(operation)
        arguments, named = self.replace(args), self.replace(keywords)
        made = find_tensors(outputs)
        for place, tensor in enumerate(made):
            node = make_node(operation, name, call or operation.call, arguments, named)
            node.label = describe(operation)
            if node.role is Role.PRODUCT and node.parameters:
                node.axis = find_axis(node)
            if node.role is Role.UNKNOWN:
                node.why = f"{node.label}{self.place} is not known"
            node.output = None if outputs is tensor else place
            if name == "moments" and node.role is Role.UNKNOWN:
                node.role = Role.STATISTIC if place else Role.REDUCE
            self.add(node, [tensor])
        return outputs

    def link(
        self, role: Role, sources: Sequence[Tensor], outputs: Sequence[Tensor], label: str, why: str = ""
    ) -> None:
        """Add nodes with a given role for tensors derived from others."""
        inputs = tuple(dict.fromkeys(map(self.find, sources)))
        for tensor in outputs:
            self.add(Node(0, role, label, inputs=inputs, why=why), [tensor])

    def add(self, node: Node, tensors: Sequence[Tensor]) -> None:
        """Add a node that represents tensors."""
        self._append(node)
        for tensor in tensors:
            node.shape = fill_shape(tensor.shape)
            dtype = tensor.dtype
            node.is_mask = not keras.backend.is_float_dtype(dtype) and not dtype.startswith("complex")
            self._tensors[id(tensor)] = node, tensor

    def find(self, tensor: Tensor) -> Node:
        """Return the node of a tensor; a tensor without a node becomes an input."""
        if id(tensor) not in self._tensors:
            self.add_inputs([tensor])
        return self._tensors[id(tensor)][0]

    def forget(self, count: int) -> None:
        """Remove all nodes after the first `count`, which a failed call recorded."""
        gone = set(self.nodes[count:])
        del self.nodes[count:]
        for node in self.nodes:
            if any(user in gone for user in node.users):
                node.users = [user for user in node.users if user not in gone]
        self._tensors = {key: kept for key, kept in self._tensors.items() if kept[0] not in gone}

    def replace(self, value: Any) -> Structure:
        """Replace the symbolic tensors of an argument by nodes, and the backend's tensors by constants."""
        if isinstance(value, keras.KerasTensor):
            return self.find(value)
        if isinstance(value, tuple | list):
            items = [self.replace(item) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, dict):
            return {key: self.replace(item) for key, item in value.items()}
        if isinstance(value, keras.Variable) or (hasattr(value, "shape") and hasattr(value, "dtype")):
            return self._find_constant(value)
        return value

    def _find_constant(self, value: Any) -> Structure:
        if id(value) in self._tensors:
            return self._tensors[id(value)][0]
        dtype = keras.backend.standardize_dtype(value.dtype)
        if dtype != "bool" and not keras.backend.is_float_dtype(dtype):
            return value  # an index
        keys = frozenset([id(value)]) if isinstance(value, keras.Variable) else frozenset()
        node = Node(0, Role.CONSTANT, shape=tuple(value.shape), tensor=value, parameters=keys)
        node.is_mask = dtype == "bool"
        self._append(node)
        self._tensors[id(value)] = node, value
        return node

    def _append(self, node: Node) -> None:
        node.index = len(self.nodes)
        self.nodes.append(node)
        for source in node.inputs:
            source.users.append(node)


def fill_shape(shape: Sequence[int | None]) -> tuple[int, ...]:
    """Return a shape with numbers for unknown lengths.

    >>> fill_shape((None, None, 3))
    (2, 8, 3)
    """
    filled = [UNKNOWN_LENGTH if length is None else length for length in shape]
    return (BATCH, *filled[1:]) if shape and shape[0] is None else tuple(filled)


def make_tensor(shape: Sequence[int | None], dtype: str) -> Tensor:
    """Return a symbolic tensor, with a name that does not change Keras' counters."""
    return keras.KerasTensor(tuple(shape), dtype, name="tensor")


def call_completed(layer: Layer, training: bool, /, *args: Any, **keywords: Any) -> Any:  # noqa: FBT001
    """Call a layer with the arguments that Keras adds itself: `training` and masks."""
    signature = inspect.signature(layer.call)
    given = signature.bind_partial(*args, **keywords).arguments
    if "training" in signature.parameters and given.get("training") is None:
        keywords["training"] = training
    for name, parameter in signature.parameters.items():
        if name.endswith("mask") and parameter.default is parameter.empty and name not in given:
            keywords[name] = None
    return layer.call(*args, **keywords)


def find_owner(layer: Operation) -> type:
    """Return the class that defines the `call` of a layer or operation."""
    return next((kind for kind in type(layer).__mro__ if "call" in vars(kind)), type(layer))


def is_own(operation: Operation) -> bool:
    """Return whether the `call` of a layer or operation is Keras' own."""
    return is_from_keras(find_owner(operation))


def is_from_keras(kind: type) -> bool:
    """Return whether a class is one of Keras' own."""
    return kind.__module__.startswith("keras.")


def name_operation(operation: Operation) -> str:
    """Return the normalized name of an operation; for a layer, that of the class with its `call`.

    >>> class Mine(keras.layers.Dropout): pass
    >>> name_operation(Mine(0.1)), name_operation(keras.layers.MaxPooling2D())
    ('dropout', 'maxpooling2d')
    """
    if not isinstance(operation, keras.Operation):
        return ""
    owner = find_owner(operation)
    kinds = type(operation).__mro__
    # Several Keras classes may share the `call` of a base class.
    first = next((kind for kind in kinds[: kinds.index(owner) + 1] if is_from_keras(kind)), owner)
    return fold(first.__name__)


def name_function(function: Any) -> str:
    """Return the normalized name of a Keras activation function; "" for others.

    >>> name_function(keras.activations.hard_silu), name_function(lambda x: x)
    ('hardsilu', '')
    """
    name = getattr(function, "__name__", "")
    return fold(name) if function is getattr(keras.activations, name, None) else ""


def describe(operation: Operation) -> str:
    """Return the label of an operation or layer for messages."""
    if isinstance(operation, keras.Layer):
        return f"{operation.name} ({type(operation).__name__})"
    if isinstance(operation, keras.Operation):
        return f"{spell(type(operation).__name__)}()"
    return f"{getattr(operation, '__name__', type(operation).__name__)}()"


def is_elementwise(function: Any, shape: Sequence[int]) -> bool:
    """Return whether a function is elementwise and the same for all elements, by evaluating it."""
    draws = np.random.default_rng(0)
    first = draws.normal(size=shape).astype("float32")
    some = draws.random(size=shape) < 1 / 2
    order = draws.permutation(first.size)
    try:
        plain, changed, moved = (
            np.asarray(keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(values))))
            for values in (first, np.where(some, first + 1, first), first.ravel()[order].reshape(shape))
        )
    except Exception:  # noqa: BLE001 - code of the user's
        return False
    if not plain.shape == changed.shape == first.shape:
        return False
    return np.array_equal(plain[~some], changed[~some]) and np.allclose(
        plain.ravel()[order], moved.ravel(), 1e-5, 1e-6
    )


def explain_failure(layer: Operation, error: Exception) -> str:
    """Return why a layer could not be followed: the first sentence of its own error."""
    own = re.split(r"(?:Error|Exception) encountered[^\n]*\n\n", str(error))[-1]
    message = own.strip().partition("\n")[0].partition(". ")[0] or type(error).__name__
    return f"{type(layer).__name__}.call cannot be traced ({message})"


def has_layers(layer: Layer) -> bool:
    """Return whether a layer contains other layers."""
    return next(iter(layer._flatten_layers(include_self=False, recursive=False)), None) is not None  # noqa: SLF001
