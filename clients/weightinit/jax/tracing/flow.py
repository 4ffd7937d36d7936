"""Flow: the values of a traced program, followed from its kernels and inputs to its outputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from weightinit.jax.tracing.combining import compute, merge
from weightinit.jax.tracing.findings import Findings, find_signals
from weightinit.jax.tracing.moves import join, move
from weightinit.jax.tracing.primitives import LOCATING, MOVING, PICKING, REDUCING, is_elementwise
from weightinit.jax.tracing.values import Opaque, Signal, Value, Weight, make_signal, read_number

Equation = Any  # a jax.extend.core.JaxprEqn
Program = Any  # a jax.extend.core.Jaxpr or ClosedJaxpr, or None
Atom = Any  # a jax.extend.core.Var or Literal
Array = Any  # a jax.Array or a number


def follow(program: Program, arguments: Sequence[Value], ranks: Mapping[str, int]) -> Findings:
    """Follow kernels and signals through a program. `ranks` are the numbers of axes of all leaves."""
    flow = Flow(Findings(ranks))
    for signal in find_signals(flow.call(program, arguments)):
        flow.findings.finish(signal)
    return flow.findings


class Flow:
    """Follows values through a program and those that it calls."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self._special: dict[str, Callable[[Equation, list[Value]], list[Value]]] = {
            "scan": self._scan,
            "while": self._loop,
            "cond": self._branch,
            "dot_general": self._multiply,
            "conv_general_dilated": self._convolve,
            "concatenate": self._concatenate,
        }

    def call(self, program: Program, arguments: Sequence[Value]) -> list[Value]:
        """Follow values through a program, and return those that it returns."""
        inner: Program = getattr(program, "jaxpr", program)
        constants = [_read_constant(constant) for constant in getattr(program, "consts", ())]
        values: dict[Atom, Value] = dict(zip(inner.invars, arguments, strict=True))
        values |= dict(zip(inner.constvars, constants, strict=False))

        def read(atom: Atom) -> Value:
            return _read_constant(atom.val) if hasattr(atom, "val") else values.get(atom, Opaque())

        for equation in inner.eqns:
            results = self._apply(equation, [read(atom) for atom in equation.invars])
            values |= zip(equation.outvars, results, strict=True)
        return [read(atom) for atom in inner.outvars]

    def _apply(self, equation: Equation, values: list[Value]) -> list[Value]:
        name = equation.primitive.name
        if name in self._special:
            return self._special[name](equation, values)
        inner = _find_inner(equation, len(values))
        if inner is not None:
            return self.call(inner, values)
        if is_elementwise(name):
            return [compute(self.findings, name, equation.params, values)]
        if name in MOVING or name in REDUCING:
            return self._move(equation, values)
        return self._end(equation, values)

    def _end(self, equation: Equation, values: list[Value]) -> list[Value]:
        """Follow values into an operation that makes something else of them."""
        name, signals = equation.primitive.name, find_signals(values)
        if name in LOCATING:
            for signal in signals:
                self.findings.finish(signal)
        if name in LOCATING or not signals:
            return [Opaque() for _ in equation.outvars]
        lost = self.findings.lose(values, f"{name} follows, which is not known")
        return [lost for _ in equation.outvars]

    def _scan(self, equation: Equation, values: list[Value]) -> list[Value]:
        """Follow the body twice, so that what comes out of it once goes in again."""
        count, carried = equation.params["num_consts"], equation.params["num_carry"]
        constants, rest = values[:count], values[count + carried :]
        slices = [one.permute(range(1, len(one.dims))) if isinstance(one, Weight) else one for one in rest]
        slices = [_shift(one, -1) for one in slices]
        state = [_vary(*pair) for pair in zip(values, equation.invars, strict=True)][count : count + carried]
        results: list[Value] = []
        for _ in range(2):
            results = self.call(equation.params["jaxpr"], [*constants, *state, *slices])
            state = self._merge_each([state, results[:carried]])
        return [*state, *(_shift(one, 1) for one in results[carried:])]

    def _loop(self, equation: Equation, values: list[Value]) -> list[Value]:
        skipped, count = equation.params["cond_nconsts"], equation.params["body_nconsts"]
        constants, first = values[skipped : skipped + count], skipped + count
        state = [_vary(*pair) for pair in zip(values, equation.invars, strict=True)][first:]
        for _ in range(2):
            results = self.call(equation.params["body_jaxpr"], [*constants, *state])
            state = self._merge_each([state, results])
        return state

    def _branch(self, equation: Equation, values: list[Value]) -> list[Value]:
        return self._merge_each([self.call(branch, values[1:]) for branch in equation.params["branches"]])

    def _merge_each(self, several: Sequence[Sequence[Value]]) -> list[Value]:
        return [merge(self.findings, values) for values in zip(*several, strict=True)]

    def _multiply(self, equation: Equation, values: list[Value]) -> list[Value]:
        """Follow a product of a signal and a kernel, of two signals, or of two parameters."""
        contracted, batched = equation.params["dimension_numbers"]
        signals = find_signals(values)
        for signal in signals:
            self.findings.finish(signal)
        weights = {side: value for side, value in enumerate(values) if isinstance(value, Weight)}
        if len(weights) == 2:  # of which one is data: positions, or tokens that are learned
            weights = {side: weight for side, weight in weights.items() if _is_called_kernel(weight)}
        if len(weights) != 1:
            return [make_signal(signals)]
        side, weight = weights.popitem()
        letters = ["O"] * len(weight.dims)
        for letter, axes in (("I", contracted[side]), ("B", batched[side])):
            for axis in axes:
                letters[axis] = letter
        unit = len(equation.outvars[0].aval.shape) - 1 if side else len(batched[side])
        return [self.findings.use(weight, letters, 1, unit, values)]

    def _convolve(self, equation: Equation, values: list[Value]) -> list[Value]:
        signals, weight = find_signals(values), values[1]
        for signal in signals:
            self.findings.finish(signal)
        numbers, params = equation.params["dimension_numbers"], equation.params
        if not isinstance(weight, Weight) or params["batch_group_count"] != 1:
            return [make_signal(signals)]
        outputs, inputs, *field = numbers.rhs_spec
        names = "DHW"[-len(field) :] if len(field) <= 3 else "W" * len(field)
        letters = dict(zip(sorted(field), names, strict=True)) | {outputs: "O", inputs: "I"}
        spelled = [letters[axis] for axis in range(len(weight.dims))]
        groups = params["feature_group_count"]
        return [self.findings.use(weight, spelled, groups, numbers.out_spec[1], values)]

    def _concatenate(self, equation: Equation, values: list[Value]) -> list[Value]:
        weights = [value for value in values if isinstance(value, Weight)]
        if len(weights) < len(values):
            return [merge(self.findings, values)]
        return [join(weights, equation.params["dimension"], equation.outvars[0].aval.shape)]

    def _move(self, equation: Equation, values: list[Value]) -> list[Value]:
        name, table = equation.primitive.name, values[0]
        if name == "gather" and isinstance(table, Weight) and isinstance(values[1], Signal):
            self.findings.lookups.update(table.paths)
            return [make_signal()]
        if not isinstance(table, Signal) and find_signals(values):
            # A signal is written into an array; or positions that were computed pick elements of one.
            written = [] if name in PICKING else find_signals(values[1:2])
            return [written[0].move(None) if written else table for _ in equation.outvars]
        if name in {"scatter", "scatter-add", "scatter_add", "dynamic_update_slice"}:
            return [merge(self.findings, [value for value in values if not isinstance(value, Opaque)])]
        return move(equation, table)


def _find_inner(equation: Equation, count: int) -> Program:
    """Find the one program that an equation calls with its own operands: jit, remat, custom derivatives.

    None where it calls none.
    """
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        inner = equation.params.get(key)
        if inner is not None and len(getattr(inner, "jaxpr", inner).invars) == count:
            return inner
    return None


def _read_constant(value: Array) -> Opaque:
    return Opaque(read_number(value))


def _vary(value: Value, atom: Atom) -> Value:
    """Return what a loop carries: a number that it begins with is another the next time."""
    if not isinstance(value, Opaque):
        return value
    return make_signal() if jnp.issubdtype(atom.aval.dtype, jnp.floating) else Opaque()


def _shift(value: Value, by: int) -> Value:
    """Return a value with an axis more, or less, in front."""
    if not isinstance(value, Signal) or value.unit is None:
        return value
    return value.move(value.unit + by if value.unit + by >= 0 else None)


def _is_called_kernel(weight: Weight) -> bool:
    """Tell whether a parameter is called a kernel, beside another that is not."""
    return any(path.rpartition("/")[2] in {"kernel", "w", "weight"} for path in weight.paths)
