"""Name the function applied to a kernel's output at each node where following it stops.

Such a node is an end: the next kernel, a product of two signals, an output of the model or an operation that
is not known. For each signal (see `signals`) that reaches one, `Finisher` makes an `End` with the name of the
activation applied so far. `following.Follower` decides from all ends of a kernel.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from weightinit.adapters.flow.functions import GATED, describe_function, recognize
from weightinit.adapters.flow.graph import Node, Role, find_sources
from weightinit.adapters.flow.signals import Evaluator, Gate, Signal

# The reason of an end at a sum of elements, whose function is not certain.
UNNAMED = "no function of one output"


@dataclass(frozen=True, slots=True)
class End:
    """A node where a signal ends, and the activation applied: a name, "none", or None with the reason `why`.

    `cause` is the node that applied it. A `guessed` name is that of the first of several activations. A
    `reduced` signal was pooled; a `mixed` one was multiplied by something other than a kernel. `beside` names
    the other activations of elements concatenated with the signal. `slope` is that of a leaky ReLU below
    zero.
    """

    node: Node
    name: str | None
    cause: Node | None = None
    why: str = ""
    guessed: bool = False
    reduced: bool = False
    mixed: bool = False
    beside: frozenset[str] = frozenset()
    slope: float | None = None

    @property
    def function(self) -> str:
        """The name of the function with its slope, for messages and comparisons."""
        return describe_function(self.name, self.slope) or "something unknown"

    @property
    def place(self) -> int:
        """The position in the order of execution."""
        return self.cause.index if self.cause else self.node.index


class Finisher:
    """Makes the ends of signals. `explore` returns the signals of all nodes derived from a start."""

    def __init__(self, values: Evaluator, explore: Callable[[Node], Mapping[Node, Signal]]) -> None:
        self._values = values
        self._explore = explore

    def finish_all(self, node: Node, own: dict[Node, Signal]) -> list[End]:
        """Return an end for each signal that enters a node. Statistics, such as a variance, have none."""
        if node.role is Role.UNKNOWN:
            why = node.why or f"{node.label} is not known"
            return [
                self._finish(signal, node)
                if not (source.is_mask or signal.is_statistic or self._values.is_linear(signal))
                else End(node, None, node, why)
                for source, signal in own.items()
            ]
        return [
            replace(self._finish(signal, node), mixed=signal.mixed, beside=signal.beside)
            for signal in own.values()
            if not signal.is_statistic
        ]

    def _finish(self, signal: Signal, node: Node) -> End:
        if self._values.is_linear(signal):
            return self._finish_linear(signal, node)
        if signal.values is None and signal.named is not None:
            name, slope = self._values.identify(signal)
            return End(node, name, signal.named, slope=slope)
        found = self._values.recognize(signal)
        if found.name and found.name != "none":
            return End(node, found.name, signal.last, slope=found.slope)
        if signal.named is not None:
            return End(node, signal.named.activation, signal.named, guessed=True)
        if signal.mixed:  # a function of several sums, perhaps, as of attention's values
            return End(node, "none", signal.last, UNNAMED)
        moments = f"E[φ²] = {found.second_moment:.3g}, E[φ'²] = {found.derivative_moment:.3g}"
        label = signal.last.label if signal.last else node.label
        return End(node, None, signal.last, f"a custom function, up to {label}, is not known ({moments})")

    def _finish_linear(self, signal: Signal, node: Node) -> End:
        if signal.picked:
            return End(node, None, why="the largest of several outputs is taken, as in maxout", reduced=True)
        gated = self._name_gate(signal.gates)
        return End(node, gated or "none", signal.gates[0][1] if gated else None, reduced=signal.reduced)

    def _name_gate(self, gates: Sequence[Gate]) -> str | None:
        """Return the name of a gated unit, given the factors of its linear half; None if it is not gated."""
        sources = {source for _, factor in gates for source in find_sources(factor)}
        for source in sorted(sources, key=lambda node: node.index):
            signals = self._explore(source)
            if all(factor in signals for _, factor in gates):
                name = self._name_product(gates, signals)
                if name in GATED:
                    return GATED[name]
        return None

    def _name_product(self, gates: Sequence[Gate], signals: Mapping[Node, Signal]) -> str | None:
        """Return the name of a product of factors, as a function of the one source that they derive from."""
        alone = signals[gates[0][1]]
        if len(gates) == 1 and alone.values is None and alone.named is not None:
            return self._values.name(alone)
        factors = [self._values.evaluate(node, {factor: signals[factor]}) for node, factor in gates]
        with np.errstate(all="ignore"):
            return recognize(np.prod([self._values.read(factor) for factor in factors], axis=0)).name
