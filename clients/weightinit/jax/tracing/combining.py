"""Combining: what elementwise operations make of signals, numbers and parameters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from weightinit.adapters.functions import GRID, recognize
from weightinit.jax.tracing.findings import Findings, find_signals, name_gate
from weightinit.jax.tracing.primitives import ADDING, COMPARING, NEUTRAL, evaluate
from weightinit.jax.tracing.values import Opaque, Signal, Value, Weight, read_number

Parameters = Mapping[str, Any]


def compute(findings: Findings, name: str, params: Parameters, values: Sequence[Value]) -> Value:
    """Compute an elementwise operation."""
    signals = find_signals(values)
    if not signals:
        return _compute_without_signal(name, params, values)
    if name == "select_n" and not isinstance(values[0], Signal):
        return merge(findings, signals)  # a mask, or dropout
    if len({(signal.roots, signal.reduced) for signal in signals}) == 1:
        return _compute_alone(findings, name, params, values)
    if name in COMPARING:
        return Opaque()
    return _combine(findings, name, values)


def merge(findings: Findings, values: Sequence[Value]) -> Value:
    """Merge values that are added, or of which one is taken: the plain go on, the others have ended."""
    signals = find_signals(values)
    if not signals:
        weights = [value for value in values if isinstance(value, Weight)]
        return weights[0] if weights else (values[0] if len(set(values)) == 1 else Opaque())
    if len({(signal.roots, signal.values.tobytes(), signal.named) for signal in signals}) == 1:
        return signals[0]
    plain = [signal for signal in signals if signal.is_plain]
    for signal in signals:
        if not signal.is_plain:
            findings.finish(signal)
    return Signal(
        GRID,
        _unite(signal.roots for signal in plain),
        _unite(signal.ancestors if signal.is_plain else signal.sources for signal in signals),
        _find_unit(plain),
        reduced=bool(plain) and all(signal.reduced for signal in plain),
    )


def _combine(findings: Findings, name: str, values: Sequence[Value]) -> Value:
    """Combine signals of different kernels, or a signal with its own mean."""
    signals = find_signals(values)
    if name in NEUTRAL and len({signal.roots for signal in signals}) == 1:
        return _normalize(name, signals)
    if name in ADDING:
        return merge(findings, values[1:] if name == "select_n" else values)
    if name in NEUTRAL:
        return _gate(findings, signals)
    return findings.lose(values, f"{name} of several signals follows")


def _gate(findings: Findings, signals: Sequence[Signal]) -> Signal:
    """Multiply signals of different kernels: what has a function has ended, and gates what is plain."""
    plain = [signal for signal in signals if signal.is_plain]
    gates = [signal for signal in signals if not signal.is_plain]
    for signal in gates:
        findings.finish(signal)
    roots = set()
    for signal in plain:
        own = {root.path for root in signal.roots}
        # A factor that was made of the signal itself scales it, as in squeeze and excitation.
        names = (name_gate(gate) for gate in gates if not own & gate.ancestors)
        found = next(filter(None, names), "")
        roots |= {replace(root, gate=found or root.gate) for root in signal.roots}
    return Signal(GRID, frozenset(roots), _unite(signal.sources for signal in signals), _find_unit(plain))


def _normalize(name: str, signals: Sequence[Signal]) -> Signal:
    """Return a signal from which its own mean is taken, or that is divided by its own sum or deviation."""
    whole = next((signal for signal in signals if not signal.reduced), signals[0])
    if name == "div" and recognize(whole.values).name == "exponential":
        sums = [signal for signal in signals if signal.reduced]
        if any(np.array_equal(whole.values, one.values) for one in sums):
            return replace(whole, named="softmax")
    return whole


def _compute_alone(findings: Findings, name: str, params: Parameters, values: Sequence[Value]) -> Value:
    """Compute an operation on one signal, and on numbers."""
    signals = find_signals(values)
    signal, others = signals[0], [value for value in values if not isinstance(value, Signal)]
    if name in COMPARING and any(_read_operand(other, name) is None for other in others):
        return Opaque()
    if any(one.named for one in signals) or (signal.reduced and others and name in {"mul", "div"}):
        return signal
    operands = [one.values if isinstance(one, Signal) else _read_operand(one, name) for one in values]
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands):
        return findings.lose(values, f"{name} with an array follows")
    found = np.broadcast_to(evaluate(name, params, known), GRID.shape)
    return replace(signal, values=found, ancestors=_unite(one.ancestors for one in signals))


def _compute_without_signal(name: str, params: Parameters, values: Sequence[Value]) -> Value:
    """Compute with numbers, and with parameters, which stay what they are."""
    numbers = [None if isinstance(value, Signal) else value.value for value in values]
    known = [number for number in numbers if number is not None]
    found = read_number(evaluate(name, params, known)) if len(known) == len(numbers) else None
    weights = [value for value in values if isinstance(value, Weight)]
    if not weights:
        return Opaque(found)
    return replace(max(weights, key=lambda weight: len(weight.dims)), value=found)


def _read_operand(value: Value, name: str) -> float | None:
    """Read the number that an operand stands for: its own, or one that changes nothing.

    What is added of parameters are biases, which begin at zero.
    """
    neutral = NEUTRAL.get(name)
    is_bias = isinstance(value, Weight) and neutral == 0.0
    found = None if is_bias or isinstance(value, Signal) else value.value
    return neutral if found is None or (isinstance(value, Weight) and not found) else found


def _unite(sets: Iterable[frozenset[Any]]) -> frozenset[Any]:
    return frozenset[Any]().union(*sets)


def _find_unit(signals: Sequence[Signal]) -> int | None:
    units = {signal.unit for signal in signals}
    return units.pop() if len(units) == 1 else None
