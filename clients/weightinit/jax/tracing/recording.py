"""Record the graph of a traced program and of the programs that it calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weightinit.adapters.flow.graph import Node, Role
from weightinit.jax.tracing.nodes import Form, Graph
from weightinit.jax.tracing.operations import apply
from weightinit.jax.tracing.products import convolve, multiply
from weightinit.jax.tracing.uses import Uses

Equation = Any  # a jax.extend.core.JaxprEqn
Program = Any  # a jax.extend.core.Jaxpr or ClosedJaxpr, or None
Atom = Any  # a jax.extend.core.Var or Literal
Leaf = Any  # a jax.Array or a jax.ShapeDtypeStruct


@dataclass(frozen=True, slots=True)
class Traced:
    """The graph of a program, and how it uses the leaves of a model."""

    nodes: list[Node]
    uses: Uses


def record(
    program: Program,
    paths: Sequence[str],
    leaves: Mapping[str, Leaf],
    read: Callable[[str, Leaf], float | None] = lambda *_: None,
) -> Traced:
    """Record a program. `paths` are those of its first arguments, of which `leaves` are parameters.

    `read` returns the constant value of a leaf, if a function in the program depends on it.
    """
    graph = Graph({path: tuple(leaf.shape) for path, leaf in leaves.items()})
    values = []
    for index, atom in enumerate(program.jaxpr.invars):
        path = paths[index] if index < len(paths) else None
        if path is not None and path in leaves:
            values.append(graph.add_leaf(path, atom.aval, read(path, leaves[path])))
        else:
            values.append(graph.add(atom.aval, Role.INPUT if path is None else Role.CONSTANT))
    graph.end(Recorder(graph).call(program, values))
    return Traced(graph.nodes, graph.uses)


class Recorder:
    """Adds the nodes of a program, and of the programs that it calls, to a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._special: dict[str, Callable[[Equation, list[Node]], list[Node]]] = {
            "scan": self._scan,
            "while": self._loop,
            "cond": self._branch,
        }

    def call(self, program: Program, arguments: Sequence[Node]) -> list[Node]:
        """Record a program and return the nodes of its results."""
        inner: Program = getattr(program, "jaxpr", program)
        constants = map(self._graph.add_constant, getattr(program, "consts", ()))
        values: dict[Atom, Node] = dict(zip(inner.invars, arguments, strict=True))
        values |= zip(inner.constvars, constants, strict=False)

        def read(atom: Atom) -> Node:
            if hasattr(atom, "val"):
                return self._graph.add_constant(atom.val)
            if atom not in values:
                values[atom] = self._graph.add(atom.aval, Role.CONSTANT)
            return values[atom]

        for equation in inner.eqns:
            results = self._apply(equation, [read(atom) for atom in equation.invars])
            values |= zip(equation.outvars, results, strict=True)
        return [read(atom) for atom in inner.outvars]

    def _apply(self, equation: Equation, sources: list[Node]) -> list[Node]:
        name = equation.primitive.name
        if name in self._special:
            return self._special[name](equation, sources)
        inner = find_inner(equation, len(sources))
        if inner is not None:
            return self.call(inner, sources)
        if name in {"dot_general", "ragged_dot_general"}:
            return multiply(self._graph, equation, sources)
        if name == "conv_general_dilated":
            return convolve(self._graph, equation, sources)
        return apply(self._graph, equation, sources)

    def _scan(self, equation: Equation, sources: list[Node]) -> list[Node]:
        """Record the body twice, so that the state of one step is an input of the next."""
        params = equation.params
        count, carried, body = params["num_consts"], params["num_carry"], params["jaxpr"].jaxpr
        constants, first, rest = sources[:count], sources[count : count + carried], sources[count + carried :]
        takes = [atom.aval for atom in body.invars[count + carried :]]
        gives = [atom.aval for atom in body.outvars]
        slices = [self._pick(source, form) for source, form in zip(rest, takes, strict=True)]
        state = [self._vary(source, atom.aval) for source, atom in zip(first, equation.outvars, strict=False)]
        rounds: list[list[Node]] = []
        for _ in range(2):
            rounds.append(self.call(params["jaxpr"], [*constants, *state, *slices]))
            state = self._merge_each([state, rounds[-1][:carried]], gives)
        made = self._merge_each([results[carried:] for results in rounds], gives[carried:])
        forms = [atom.aval for atom in equation.outvars[carried:]]
        return [*state, *(self._stack(node, form) for node, form in zip(made, forms, strict=True))]

    def _loop(self, equation: Equation, sources: list[Node]) -> list[Node]:
        skipped, count = equation.params["cond_nconsts"], equation.params["body_nconsts"]
        constants, first = sources[skipped : skipped + count], sources[skipped + count :]
        forms = [atom.aval for atom in equation.outvars]
        state = [self._vary(*pair) for pair in zip(first, forms, strict=True)]
        for _ in range(2):
            results = self.call(equation.params["body_jaxpr"], [*constants, *state])
            state = self._merge_each([state, results], forms)
        return state

    def _branch(self, equation: Equation, sources: list[Node]) -> list[Node]:
        results = [self.call(branch, sources[1:]) for branch in equation.params["branches"]]
        return self._merge_each(results, [atom.aval for atom in equation.outvars])

    def _merge_each(self, several: Sequence[Sequence[Node]], forms: Sequence[Form]) -> list[Node]:
        columns = zip(*several, strict=True)
        return [self._graph.merge(column, form) for column, form in zip(columns, forms, strict=False)]

    def _vary(self, source: Node, form: Form) -> Node:
        """Return the node of a loop's state; an initial number becomes an input, since it changes."""
        if not source.is_constant or source.parameters:
            return source
        return self._graph.add(form, Role.CONSTANT if source.is_mask else Role.INPUT)

    def _pick(self, source: Node, form: Form) -> Node:
        """Return the slice of an array that one step of a scan takes."""
        if not source.is_constant:
            return self._graph.move(form, Role.MOVE, lambda array: array[0], [source], "scan")
        weight = self._graph.weights.get(source)
        inner = None if weight is None else weight.permute(range(1, len(weight.dims)))
        return self._graph.derive(form, [source], source.tensor, inner)

    def _stack(self, node: Node, form: Form) -> Node:
        """Return the stacked results of the steps of a scan."""
        if node.is_constant:
            return self._graph.derive(form, [node], node.tensor)
        return self._graph.move(
            form, Role.MOVE, lambda array: np.broadcast_to(array, form.shape), [node], "scan"
        )


def find_inner(equation: Equation, count: int) -> Program:
    """Return the one program that an equation calls with its own operands: jit, remat, custom derivatives.

    None if it calls none.
    """
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        inner = equation.params.get(key)
        if inner is not None and len(getattr(inner, "jaxpr", inner).invars) == count:
            return inner
    return None
