"""The graph of a traced program during recording, with the kernels in it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from weightinit.adapters.flow.graph import Node, Role, collect_parameters
from weightinit.jax.tracing.moves import overlay
from weightinit.jax.tracing.uses import Uses
from weightinit.jax.tracing.weights import Weight

Form = Any  # an object with a shape and a dtype
Array = Any  # a jax.Array, or a number


class Graph:
    """The nodes of a program in order, the `weights` that some of them are, and the uses of leaves.

    Nodes in `fed` derive from a kernel's output.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        self.nodes: list[Node] = []
        self.weights: dict[Node, Weight] = {}
        self.fed: set[Node] = set()
        self.uses = Uses(shapes)

    def add(self, form: Form, role: Role, **fields: Any) -> Node:  # noqa: ANN401 - a node's
        """Add a node for an array of a shape and dtype, as a user of its inputs."""
        known = {"shape": tuple(form.shape), "is_mask": not is_inexact(form), **fields}
        node = Node(len(self.nodes), role, **known)
        self.nodes.append(node)
        if (role is Role.PRODUCT and node.parameters) or not self.fed.isdisjoint(node.inputs):
            self.fed.add(node)
        for source in node.inputs:
            source.users.append(node)
        return node

    def add_leaf(self, path: str, form: Form, number: float | None) -> Node:
        """Add a node for a leaf of the model."""
        node = self.add(form, Role.CONSTANT, parameters=frozenset([path]), tensor=number)
        self.weights[node] = Weight.of(path, form.shape)
        return node

    def add_constant(self, value: Array) -> Node:
        """Add a node for a constant array of the program."""
        return self.add(
            np.asarray(value) if np.isscalar(value) else value, Role.CONSTANT, tensor=read_number(value)
        )

    def derive(
        self,
        form: Form,
        sources: Sequence[Node],
        number: float | None = None,
        weight: Weight | None = None,
        label: str = "",
    ) -> Node:
        """Add a constant that is computed from others."""
        fields = {"inputs": tuple(dict.fromkeys(sources)), "parameters": collect_parameters(sources)}
        node = self.add(form, Role.CONSTANT, label=label, tensor=number, **fields)
        if weight is not None:
            self.weights[node] = weight
        return node

    def move(
        self, form: Form, role: Role, call: Callable[..., Any] | None, sources: Sequence[Node], label: str
    ) -> Node:
        """Add a node that moves the elements of its sources; masks among these only select positions."""
        moved = [source for source in sources if not source.is_mask] or list(sources)
        inputs = tuple(dict.fromkeys(source for source in moved if not source.is_constant))
        return self.add(form, role, label=label, call=call, arguments=tuple(sources), inputs=inputs)

    def merge(self, nodes: Sequence[Node], form: Form) -> Node:
        """Return a node for several alternatives, such as branches or iterations."""
        several = tuple(dict.fromkeys(nodes))
        signals = [node for node in several if not node.is_constant]
        if len(several) == 1 or len(signals) == 1:
            return signals[0] if signals else several[0]
        if signals:
            return self.move(form, Role.MOVE, overlay, signals, "a branch")
        weights = [node for node in several if node in self.weights]
        return weights[0] if weights else self.derive(form, several)

    def end(self, nodes: Iterable[Node]) -> None:
        """Add the output of the program, and record the leaves that anything is computed from."""
        inputs = tuple(dict.fromkeys(nodes))
        self.add(np.zeros(()), Role.OUTPUT, label="the output", inputs=inputs)
        self.uses.touched |= {key for node in self.nodes if node.users for key in node.parameters}
        self.uses.settle()


def is_inexact(form: Form) -> bool:
    """Return whether an array is floating-point or complex, and so may be a signal."""
    return bool(jnp.issubdtype(form.dtype, jnp.inexact))


def read_number(array: Array) -> float | None:
    """Return the number that all elements of an array equal; None if they differ or are not real.

    >>> read_number(np.ones(3)), read_number(np.arange(3))
    (1.0, None)
    """
    try:
        found = np.asarray(array)
        if np.iscomplexobj(found) or not found.size or not (found == found.flat[0]).all():
            return None
        return float(found.flat[0])
    except (TypeError, ValueError):
        return None
