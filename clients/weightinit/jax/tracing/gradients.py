"""Find parameters of a traced program that get no gradient because of stop_gradient on every path."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Equation = Any  # a jax.extend.core.JaxprEqn
Program = Any  # a jax.extend.core.Jaxpr or ClosedJaxpr

# Operations that do not change values.
MOVES = frozenset(
    [
        *("broadcast_in_dim", "convert_element_type", "copy", "reshape", "slice", "squeeze"),
        *("reduce_precision", "sharding_constraint", "transpose"),
    ]
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The parameters that an array derives from: by any path, and by differentiable ones (`trained`).

    `held` is the parameter that the array is, perhaps reshaped.
    """

    used: frozenset[int] = frozenset()
    trained: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()


@dataclass(slots=True)
class Gradients:
    """The parameters of a program that get a gradient, and those that are used without one.

    For `frozen` ones stop_gradient is applied to the parameter itself, for `hidden` ones to values derived
    from it.
    """

    trained: frozenset[int]
    frozen: frozenset[int]
    hidden: frozenset[int]


def find_gradients(program: Program, count: int) -> Gradients:
    """Return which of the first `count` arguments of a program get gradients, among those that it uses."""
    walk = Walk()
    own = [Origin(one, one, one) for one in (frozenset([index]) for index in range(count))]
    rest = len(get_body(program).invars) - count
    results = walk.call(program, [*own, *[Origin()] * rest])
    whole = join(results)
    stopped = whole.used - whole.trained
    frozen = stopped & (walk.stopped - walk.applied)
    return Gradients(whole.trained, frozen, stopped - frozen)


class Walk:
    """Walks through a program; records parameters that are stopped directly, and those used in other ways."""

    def __init__(self) -> None:
        self.stopped: frozenset[int] = frozenset()
        self.applied: frozenset[int] = frozenset()

    def call(self, program: Program, arguments: Sequence[Origin]) -> list[Origin]:
        """Return the origins of a program's results, given those of its arguments."""
        inner = get_body(program)
        known: dict[Any, Origin] = dict(zip(inner.invars, arguments, strict=True))

        def read(atom: Any) -> Origin:  # noqa: ANN401 - a variable or a literal
            return Origin() if hasattr(atom, "val") else known.get(atom, Origin())

        for equation in inner.eqns:
            results = self._apply(equation, [read(atom) for atom in equation.invars])
            known |= zip(equation.outvars, results, strict=True)
        return [read(atom) for atom in inner.outvars]

    def _apply(  # noqa: PLR0911 - a case each
        self, equation: Equation, origins: list[Origin]
    ) -> list[Origin]:
        name, params = equation.primitive.name, equation.params
        if name == "stop_gradient":
            self.stopped |= origins[0].held
            return [Origin(origins[0].used)]
        if name in MOVES:
            return [origins[0]]
        if name == "scan":
            return self._repeat(params["jaxpr"], origins, params["num_consts"], params["num_carry"])
        if name == "while":
            first, count = params["cond_nconsts"], params["body_nconsts"]
            carried = len(origins) - first - count
            return self._repeat(params["body_jaxpr"], origins[first:], count, carried)
        if name == "cond":
            several = [self.call(branch, origins[1:]) for branch in params["branches"]]
            return [join(results) for results in zip(*several, strict=True)]
        inner = next((params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params), None)
        if inner is not None and len(get_body(inner).invars) == len(origins):
            return self.call(inner, origins)
        whole = join(origins)
        self.applied |= frozenset[int]().union(*(one.held for one in origins))
        return [Origin(whole.used, whole.trained)] * len(equation.outvars)

    def _repeat(self, body: Program, origins: list[Origin], count: int, carried: int) -> list[Origin]:
        """Follow a loop until the origins of its state no longer change."""
        constants, state, rest = origins[:count], origins[count : count + carried], origins[count + carried :]
        while True:
            results = self.call(body, [*constants, *state, *rest])
            merged = [join(pair) for pair in zip(state, results[:carried], strict=True)]
            if merged == state:
                return [*state, *results[carried:]]
            state = merged


def join(origins: Sequence[Origin]) -> Origin:
    """Return the origin of an array that derives from several."""
    used = frozenset[int]().union(*(one.used for one in origins))
    trained = frozenset[int]().union(*(one.trained for one in origins))
    held = origins[0].held if origins else frozenset[int]()
    for one in origins[1:]:
        held &= one.held
    return Origin(used, trained, held)


def get_body(program: Program) -> Program:
    """Return a program without its constants."""
    body: Program = getattr(program, "jaxpr", program)
    return body
