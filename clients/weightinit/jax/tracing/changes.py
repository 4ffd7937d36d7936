"""Changes: what is done to the numbers of a kernel before its product, so that its own scale may not count.

A kernel that is divided by a norm of its own has no scale that counts, and a sum of kernels has another
variance than each; what `exp` makes of a kernel is none that its scheme is for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightinit.adapters.flow.graph import Node, Role
from weightinit.jax.tracing.nodes import Graph
from weightinit.jax.tracing.primitives import ROLES
from weightinit.jax.tracing.weights import Change, Effect, Weight

Equation = Any  # a jax.extend.core.JaxprEqn

# What these make of small numbers has their sign, and about their size.
ODD = frozenset(["asinh", "atan", "erf", "round", "sign", "sin", "sinh", "tan", "tanh"])
PLAIN = frozenset(["conj", "neg", "real"])
COMPARING = frozenset(["and", "eq", "ge", "gt", "is_finite", "le", "lt", "ne", "not", "or", "xor"])
SMALL = 1e-3  # what is added to keep numbers from zero
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Changed:
    """A weight that an operation changes: the operand that it is, and the others."""

    graph: Graph
    name: str
    weight: Weight
    node: Node
    others: tuple[Node, ...]

    @property
    def paths(self) -> frozenset[str]:
        """The leaves that it is made of."""
        return frozenset(piece.path for piece in self.weight.pieces)

    def apply(self) -> Weight | None:
        """Return what comes out; None for no kernel."""
        name, role = self.name, ROLES.get(self.name)
        if name in COMPARING:
            return None
        if name in PLAIN:
            return self.weight
        if name == "complex" or role is Role.ADD:
            return self._add()
        if role is Role.MULTIPLY:
            return self._multiply()
        if name == "select_n":
            return self._select()
        is_odd = name in ODD or (name in {"clamp", "max", "min"} and self._is_clipped())
        return self.weight.change(Change(name, Effect.FUNCTION if is_odd else Effect.BEND))

    def _is_clipped(self) -> bool:
        """Return whether small numbers stay what they are between bounds."""
        numbers = [other.tensor for other in self.others]
        if self.name == "clamp":
            return None not in numbers and numbers[0] < 0 < numbers[-1]
        return numbers[0] is not None and (numbers[0] > 0 if self.name == "min" else numbers[0] < 0)

    def _multiply(self) -> Weight:
        weight, other = self.weight, self.others[0] if self.others else None
        if other is None or (other.is_constant and self.find_whole(other) is not None):
            return self._join(other) if self.name == "mul" else weight.change(Change("div", Effect.BEND))
        if other.tensor is not None:
            is_one = abs(other.tensor) == 1
            return weight if is_one else weight.change(Change(f"a factor of {other.tensor:g}", Effect.SCALE))
        if self.measures(other) and (self.name == "div" or any(map(self._inverts, self._trace(other)))):
            self._drop_norm(other)
            return weight.normalize()
        what = "a factor" if other.is_constant else "a factor of the inputs"
        return weight.change(Change(what, Effect.SCALE))

    def _add(self) -> Weight:
        weight, other = self.weight, self.others[0] if self.others else None
        if other is None or (other.is_constant and self.find_whole(other) is not None):
            return self._join(other)
        is_small = other.tensor is not None and abs(other.tensor) < SMALL
        if is_small or self.measures(other):  # a mean of its own
            return weight
        return weight.change(Change(self.name, Effect.JOIN))

    def _join(self, other: Node | None) -> Weight:
        """Join a kernel with another of its shape, or with itself."""
        weight = self.weight
        added = self.find_whole(other) if other is not None else weight
        if added is None or self.paths & {piece.path for piece in added.pieces}:
            if self.name == "mul":
                return weight.change(Change("a power", Effect.BEND))
            changes = () if added is None else added.changes
            joined = replace(weight, changes=tuple(dict.fromkeys([*weight.changes, *changes])))
            is_same = added is not None and added.dims == weight.dims and bool(joined.changes)
            return joined if is_same else joined.change(Change(self.name, Effect.JOIN))
        changes = tuple(dict.fromkeys([*weight.changes, *added.changes]))
        pieces = tuple(dict.fromkeys([*weight.pieces, *added.pieces]))
        joined = replace(weight, pieces=pieces, changes=changes, is_normed=False)
        return joined.change(Change(self.name, Effect.JOIN))

    def _select(self) -> Weight:
        """Select elements by a mask: a dropped connection, or a function of the kernel itself."""
        mask = next((other for other in self.others if other.is_mask), None)
        if mask is not None and any(map(self._compares, self._trace(mask))):
            return self.weight.change(Change("select_n", Effect.BEND))
        whole = [found for other in self.others if (found := self.find_whole(other)) is not None]
        if whole:
            return self._join(next(other for other in self.others if self.find_whole(other) is not None))
        return self.weight.change(Change("a mask", Effect.SCALE))

    def _inverts(self, node: Node) -> bool:
        """Return whether a node divides by what was measured of this kernel."""
        is_divisor = node.label == "rsqrt" or (node.label == "div" and self.measures(node.inputs[-1]))
        return is_divisor and self.find_whole(node) is None

    def _compares(self, node: Node) -> bool:
        """Return whether a node compares each element of this kernel."""
        return node.label in COMPARING and any(self.find_whole(source) for source in node.inputs)

    def find_whole(self, node: Node) -> Weight | None:
        """Find a kernel as large as this one that a node is."""
        found = self.graph.weights.get(node)
        return found if found and found.pieces and found.rank >= self.weight.rank else None

    def measures(self, node: Node) -> bool:
        """Return whether a node was measured of this kernel."""
        if node.is_constant:
            return bool(self.paths & node.parameters) and self.find_whole(node) is None
        return any(one is self.node or self.paths & one.parameters for one in self._trace(node))

    def _drop_norm(self, divisor: Node) -> None:
        """Drop the products that only measure a norm, as power iteration does: no signal goes on there."""
        if divisor.is_constant or any(size > 1 for size in divisor.shape or ()):
            return
        for node in self._trace(divisor):
            if node.role is Role.PRODUCT and self.paths & node.parameters:
                self.graph.uses.measured.add(node)

    def _trace(self, node: Node) -> Iterator[Node]:
        """List the nodes that a node is made of, itself too."""
        seen, pending = {node}, [node]
        while pending and len(seen) < MAX_DEPTH:
            one = pending.pop()
            yield one
            fresh = [source for source in one.inputs if source not in seen]
            seen.update(fresh)
            pending += fresh


def change_weight(graph: Graph, equation: Equation, sources: Sequence[Node]) -> Weight | None:
    """Return what a function of each element makes of the largest kernel among its operands."""
    known = [(weight, node) for node in sources if (weight := graph.weights.get(node)) is not None]
    if not known:
        return None
    weight, node = max(known, key=lambda pair: (bool(pair[0].pieces), pair[0].rank))
    if not weight.pieces:
        return weight
    name = equation.primitive.name
    if name == "div" and node is not sources[0]:
        return weight.change(Change("div", Effect.BEND))
    others = tuple(source for source in sources if source is not node)
    return Changed(graph, name, weight, node, others).apply()
