"""Follow changes of a kernel's values before its product, which change the σ that it needs.

The scale of a kernel that is divided by its own norm has no effect; a sum of kernels has another variance
than each; a function such as `exp` of a kernel is not what a scheme is made for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightinit.adapters.flow.graph import Node, Role
from weightinit.jax.tracing.nodes import Graph
from weightinit.jax.tracing.primitives import ROLES
from weightinit.jax.tracing.weights import Change, Effect, Weight

Equation = Any  # a jax.extend.core.JaxprEqn

# Functions that are odd, and near the identity or a multiple of it for small numbers.
ODD = frozenset(["asinh", "atan", "erf", "round", "sign", "sin", "sinh", "tan", "tanh"])
PLAIN = frozenset(["conj", "neg", "real"])
COMPARING = frozenset(["and", "eq", "ge", "gt", "is_finite", "le", "lt", "ne", "not", "or", "xor"])
SMALL = 1e-3  # a number added to avoid division by zero
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Changed:
    """A kernel that an operation changes: its node among the operands, and the other operands."""

    graph: Graph
    name: str
    weight: Weight
    node: Node
    others: tuple[Node, ...]

    @property
    def paths(self) -> frozenset[str]:
        """The paths of the leaves that the kernel consists of."""
        return frozenset(piece.path for piece in self.weight.pieces)

    def apply(self) -> Weight | None:
        """Return the weight after the operation; None if the result is not a kernel."""
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
        """Return whether clipping leaves small numbers unchanged."""
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
        if is_small or self.measures(other):  # the kernel's own mean
            return weight
        return weight.change(Change(self.name, Effect.JOIN))

    def _join(self, other: Node | None) -> Weight:
        """Return the kernel combined with another one of its shape, or with itself."""
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
        """Return the kernel after a selection by a mask: dropped connections, or a function of the kernel."""
        mask = next((other for other in self.others if other.is_mask), None)
        if mask is not None and any(map(self._compares, self._trace(mask))):
            return self.weight.change(Change("select_n", Effect.BEND))
        whole = [found for other in self.others if (found := self.find_whole(other)) is not None]
        if whole:
            return self._join(next(other for other in self.others if self.find_whole(other) is not None))
        return self.weight.change(Change("a mask", Effect.SCALE))

    def _inverts(self, node: Node) -> bool:
        """Return whether a node is the inverse of a quantity computed from this kernel."""
        is_divisor = node.label == "rsqrt" or (node.label == "div" and self.measures(node.inputs[-1]))
        return is_divisor and self.find_whole(node) is None

    def _compares(self, node: Node) -> bool:
        """Return whether a node compares each element of this kernel."""
        return node.label in COMPARING and any(self.find_whole(source) for source in node.inputs)

    def find_whole(self, node: Node) -> Weight | None:
        """Return the weight of a node, if it is a kernel of at least this one's rank; else None."""
        found = self.graph.weights.get(node)
        return found if found and found.pieces and found.rank >= self.weight.rank else None

    def measures(self, node: Node) -> bool:
        """Return whether a node is a quantity, such as a norm, computed from this kernel."""
        if node.is_constant:
            return bool(self.paths & node.parameters) and self.find_whole(node) is None
        return any(one is self.node or self.paths & one.parameters for one in self._trace(node))

    def _drop_norm(self, divisor: Node) -> None:
        """Mark products that only measure a norm, as in power iteration, which are not uses of the kernel."""
        if divisor.is_constant or any(size > 1 for size in divisor.shape or ()):
            return
        for node in self._trace(divisor):
            if node.role is Role.PRODUCT and self.paths & node.parameters:
                self.graph.uses.measured.add(node)

    def _trace(self, node: Node) -> Iterator[Node]:
        """Yield a node and the nodes that it derives from."""
        seen, pending = {node}, [node]
        while pending and len(seen) < MAX_DEPTH:
            one = pending.pop()
            yield one
            fresh = [source for source in one.inputs if source not in seen]
            seen.update(fresh)
            pending += fresh


def change_weight(graph: Graph, equation: Equation, sources: Sequence[Node]) -> Weight | None:
    """Return the result of an elementwise function for the largest kernel among its operands."""
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
