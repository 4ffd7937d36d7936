"""Interpret a traced program operation by operation, to measure the outputs of its layers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from weightinit.adapters.check import Moments, Role, Signal
from weightinit.jax.facts import Fact, combine, is_zero, merge, name_layer, to_numpy

Equation = Any  # a jax.extend.core.JaxprEqn
Program = Any  # a jax.extend.core.Jaxpr or ClosedJaxpr
Array = Any
Pairs = list[tuple[Array, Fact]]

KERNELS = {"dot_general": "dot", "conv_general_dilated": "conv"}
# JAX's names of activations, as primitives and as functions, and the service's name for each.
ACTIVATIONS = {
    "celu": "celu",
    "elu": "elu",
    "gelu": "gelu",
    "hard_sigmoid": "hard_sigmoid",
    "hard_silu": "hard_silu",
    "hard_swish": "hard_silu",
    "hard_tanh": "hard_tanh",
    "leaky_relu": "leaky_relu",
    "log_sigmoid": "log_sigmoid",
    "logistic": "sigmoid",
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "soft_sign": "softsign",
    "softplus": "softplus",
    "swish": "silu",
    "tanh": "tanh",
}
# Operations that only call another program.
CALLS = frozenset(["closed_call", "core_call", "jit", "pjit"])
# A bias may be added to a kernel's output in another shape or precision.
MOVES = frozenset(["convert_element_type", "reshape", "squeeze", "transpose", "broadcast_in_dim", "copy"])


class Interpreter:
    """Runs a program and records its signals, or adds probes at the same places to get gradients.

    `axes` are the axes of samples, by variable. `silent` are the layers whose outputs are multiplied by a
    state that starts at zero; `empty` are those that receive such a state.
    """

    def __init__(self, axes: Mapping[Any, int] | None = None, probes: Sequence[Array] | None = None) -> None:
        self.signals: list[Signal] = []
        self.silent: set[Signal] = set()
        self.empty: set[Signal] = set()
        self._axes, self._axis = axes or {}, 0
        self._dtypes: list[Any] = []
        self._probes = None if probes is None else list(probes)
        self._module = ""
        self._formulas: set[Any] = set()

    def list_probes(self) -> list[tuple[Signal, Any]]:
        """Return the recorded signals, each with the dtype of its array."""
        return list(zip(self.signals, self._dtypes, strict=True))

    def start(self, program: Program, values: Sequence[Array], facts: Sequence[Fact]) -> list[Array]:
        """Run a whole program on a model's parameters and inputs."""
        pairs = [
            self._record(value, Fact(is_signal=True), "", "input", "input")
            if is_input(value, fact)
            else (value, fact)
            for value, fact in zip(values, facts, strict=True)
        ]
        results = self._run(program, pairs)
        self._axis = 0
        for value, fact in results:
            if jnp.issubdtype(value.dtype, jnp.inexact):
                self._record(value, fact, "", "output", "output", received=value)
        return [value for value, _ in results]

    def _run(self, program: Program, arguments: Sequence[tuple[Array, Fact]]) -> Pairs:
        inner = get_body(program)
        self._formulas |= find_formulas(inner)
        known = dict(zip(inner.invars, arguments, strict=True))
        known |= {
            var: (value, Fact())
            for var, value in zip(inner.constvars, getattr(program, "consts", ()), strict=False)
        }

        def read(atom: Any) -> tuple[Array, Fact]:  # noqa: ANN401 - a variable or a literal
            return (atom.val, Fact()) if hasattr(atom, "val") else known[atom]

        for equation in inner.eqns:
            pairs = [read(atom) for atom in equation.invars]
            results = self._mark(equation, pairs, self._apply(equation, pairs))
            known |= zip(equation.outvars, results, strict=True)
        return [(jnp.asarray(value), fact) for value, fact in map(read, inner.outvars)]

    def _apply(self, equation: Equation, pairs: Pairs) -> Pairs:
        name, facts = equation.primitive.name, [fact for _, fact in pairs]
        called = ACTIVATIONS.get(str(equation.params.get("name", name)))
        inner = find_inner(equation)
        is_own = name.startswith("custom_vjp")  # it has a gradient of its own
        if (
            inner is not None
            and not called
            and (has_kernels(inner) if is_own else name in CALLS or has_rows(inner))
        ):
            if name == "scan":
                return self._scan(equation, pairs)
            if len(get_body(inner).invars) == len(pairs):
                return self._run(inner, pairs)
        bound = equation.primitive.get_bind_params(equation.params)
        functions, params = bound if isinstance(bound, tuple) else ((), bound)  # JAX before 0.10
        with equation.ctx.manager:
            found = equation.primitive.bind(*functions, *(value for value, _ in pairs), **params)
        results = found if equation.primitive.multiple_results else [found]
        fact = combine(name, pairs)
        self._axis = self._axes.get(equation.outvars[0], 0)
        if name in KERNELS and any(one.is_signal for one in facts):
            return [self._multiply(KERNELS[name], results[0], pairs, fact)]
        path = next((one.path for one in facts if one.path is not None), None)
        if (
            name == "cond"
            and fact.is_signal
            and path is not None
            and any(map(has_kernels, equation.params["branches"]))
        ):
            return [
                self._record(results[0], fact, name_layer(path), "cond", "layer"),
                *((one, fact) for one in results[1:]),
            ]
        if name == "gather" and facts[0].path is not None and facts[1].is_signal:
            return [self._record(results[0], fact, name_layer(facts[0].path), "lookup", "lookup")]
        if fact.is_signal and len(results) == 1:
            results[0], fact = self._observe(equation, results[0], pairs, replace(fact, output=None), called)
            if name in MOVES and facts[0].output:
                fact = replace(fact, output=facts[0].output)
        return [(value, fact) for value in results]

    def _mark(self, equation: Equation, pairs: Pairs, results: Pairs) -> Pairs:
        """Mark results that are zero whatever the weights, and record the layers that these zeros silence."""
        facts = [fact for _, fact in pairs] if self._probes is None else []
        is_after = any(fact.is_empty for fact in facts)
        if is_after and equation.primitive.name == "mul":
            self.silent |= {source for fact in facts if not fact.is_empty for source in fact.sources}
        made = []
        for value, fact in results:
            is_first = (
                self._probes is None and not fact.is_signal and fact.path is None and np.ndim(value) > 0
            )
            is_empty = (is_after or is_first) and is_zero(value)
            if is_empty and fact.output:
                self.empty.add(fact.output)
            made.append((value, replace(fact, is_empty=is_empty)))
        return made

    def _multiply(self, kind: str, value: Array, pairs: Pairs, fact: Fact) -> tuple[Array, Fact]:
        """Record a kernel's output; a product of two signals is a signal and is not recorded."""
        paths = [one.path for _, one in pairs if not one.is_signal and one.path is not None]
        if not paths:
            return value, replace(fact, output=None)
        received = next(one for one, about in pairs if about.is_signal)
        self._module = name_layer(paths[0])
        return self._record(value, fact, self._module, kind, "layer", received=received)

    def _observe(
        self,
        equation: Equation,
        value: Array,
        pairs: Pairs,
        fact: Fact,
        called: str | None,
    ) -> tuple[Array, Fact]:
        """Record an activation or a norm, or measure a layer again after its bias."""
        name, facts = equation.primitive.name, [one for _, one in pairs]
        output = next((one.output for one in facts if one.output), None)
        if name == "add" and output and any(one.path is not None for one in facts):
            if self._probes is None:
                output.outputs = Moments.of(to_numpy(value))
            return value, fact
        is_zero = any(not one.is_signal and np.ndim(array) == 0 and not np.any(array) for array, one in pairs)
        called = "relu" if name == "max" and is_zero and not fact.is_square else called
        if equation.outvars[0] in self._formulas:
            called = None
        if called and jnp.issubdtype(value.dtype, jnp.inexact):
            own = f"{self._module}/{called}" if self._module else called
            return self._record(value, fact, own, called, "activation")
        scales = [one.is_scale for one in facts]
        if (
            name in {"mul", "div"}
            and any(scales)
            and not all(scales)
            and facts[scales.index(False)].is_signal
        ):
            return self._record(value, replace(fact, is_scale=False), "", "norm", "norm")
        return value, fact

    def _scan(self, equation: Equation, pairs: Pairs) -> Pairs:
        """Run the body of a scan once for each step."""
        params = equation.params
        count, carried = params["num_consts"], params["num_carry"]
        constants, state, rest = pairs[:count], pairs[count : count + carried], pairs[count + carried :]
        steps = range(params["length"])
        made: list[Pairs] = []
        for step in reversed(steps) if params["reverse"] else steps:
            slices = [(value[step], fact) for value, fact in rest]
            results = self._run(params["jaxpr"], [*constants, *state, *slices])
            state = results[:carried]
            made.append(results[carried:])
        columns = zip(*(made[::-1] if params["reverse"] else made), strict=True)
        stacked = [
            (jnp.stack([value for value, _ in column]), merge([fact for _, fact in column]))
            for column in columns
        ]
        return [*state, *stacked]

    def _record(
        self,
        value: Array,
        fact: Fact,
        name: str,
        kind: str,
        role: Role,
        *,
        received: Array | None = None,
    ) -> tuple[Array, Fact]:
        if self._probes is not None:
            signal = Signal(name, kind, role, value.shape, Moments(0, 0, 0, 0))
            value = value + jnp.moveaxis(self._probes[len(self.signals)], 0, self._axis)
        else:
            outputs = np.moveaxis(to_numpy(value), self._axis, 0) if self._axis else to_numpy(value)
            signal = Signal.of(name, kind, role, outputs, None if received is None else to_numpy(received))
            signal.sources = [*fact.sources]
        self.signals.append(signal)
        self._dtypes.append(value.dtype)
        if role in {"input", "layer", "lookup"}:
            return value, Fact(
                is_signal=True,
                sources=frozenset([signal]),
                output=signal if role == "layer" else None,
                is_empty=role == "input" and self._probes is None and is_zero(value),
            )
        return value, fact


def is_input(value: Array, fact: Fact) -> bool:
    """Return whether an array is an input that gets a gradient."""
    return fact.is_signal and bool(jnp.issubdtype(value.dtype, jnp.inexact))


def find_inner(equation: Equation) -> Program | None:
    """Return the program that an operation calls; None if it calls none, or one of several."""
    params = equation.params
    names = ("jaxpr", "call_jaxpr", "fun_jaxpr")
    return next((params[name] for name in names if hasattr(params.get(name), "eqns")), None)


def has_kernels(program: Program) -> bool:
    """Return whether a program contains products or convolutions."""
    equations = get_body(program).eqns
    inner = [one for equation in equations if (one := find_inner(equation)) is not None]
    return any(equation.primitive.name in KERNELS for equation in equations) or any(map(has_kernels, inner))


def has_rows(program: Program) -> bool:
    """Return whether a program contains kernels, activations or norms."""
    for equation in get_body(program).eqns:
        name = equation.primitive.name
        inner = find_inner(equation)
        known = str(equation.params.get("name", name)) in ACTIVATIONS
        if (
            name in KERNELS
            or known
            or name in {"gather", "rsqrt", "max"}
            or (inner is not None and has_rows(inner))
        ):
            return True
    return False


def get_body(program: Program) -> Program:
    """Return a program without its constants."""
    body: Program = getattr(program, "jaxpr", program)
    return body


def find_formulas(body: Program) -> set[Any]:
    """Return variables that one is added to: the tanh in a GELU is not an activation of its own."""
    adding = [equation.invars for equation in body.eqns if equation.primitive.name == "add"]
    ones = [
        atoms
        for atoms in adding
        if any(np.ndim(getattr(one, "val", [])) == 0 and one.val == 1 for one in atoms)
    ]
    return {atom for atoms in ones for atom in atoms if not hasattr(atom, "val")}
