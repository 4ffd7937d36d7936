"""Findings: what a traced program shows of its kernels: how they are used, and what follows them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from weightinit.adapters.functions import recognize
from weightinit.adapters.ways import GATED
from weightinit.jax.tracing.values import Root, Signal, Value, Weight, make_signal


@dataclass(frozen=True, slots=True)
class Use:
    """How a kernel is used: a letter for each axis, and the number of groups."""

    layout: str
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows some units of a kernel: the name of a function; None where it is not known, and why."""

    start: int
    stop: int
    activation: str | None
    doubt: str = ""


class Findings:
    """What is found out about the leaves of a model, by their paths.

    `uses` are the kernels that a signal is multiplied by, `outcomes` what follows each, `lookups` the tables
    that rows are read from. `ranks` are the numbers of axes of all leaves.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self.uses: dict[str, Use] = {}
        self.outcomes: dict[str, set[Outcome]] = defaultdict(set)
        self.lookups: set[str] = set()
        self._ranks = ranks

    def finish(self, signal: Signal) -> None:
        """Note what follows the roots of a signal that has come to its end."""
        found = None if signal.named or not signal.roots else recognize(signal.values).name
        for root in signal.roots:
            name = signal.named or (root.gate if found == "none" and root.gate else found)
            doubt = "" if name else "a function follows that is not in the table"
            self.outcomes[root.path].add(Outcome(root.start, root.stop, name, doubt))

    def lose(self, values: Sequence[Value], why: str) -> Signal:
        """Note that what follows cannot be seen, and make the signal that comes out of it."""
        signals = find_signals(values)
        for root in {root for signal in signals for root in signal.roots}:
            self.outcomes[root.path].add(Outcome(root.start, root.stop, None, why))
        return make_signal(signals)

    def use(
        self, weight: Weight, letters: Sequence[str], groups: int, unit: int | None, values: Sequence[Value]
    ) -> Signal:
        """Note how a kernel is used, with a letter for each axis, and make the signal that comes out.

        `unit` is the axis of the signal along which the units lie, where the kernel has one axis of them.
        """
        found: dict[int, set[str]] = defaultdict(set)
        for letter, atoms in zip(letters, weight.dims, strict=True):
            for index, (axis, size) in enumerate(atoms):
                # Convolutions of stacked kernels are one with as many groups.
                is_stacked = letter == "O" and index + 1 < len(atoms) and groups > 1 and groups % size == 0
                groups = groups // size if is_stacked else groups
                if axis is not None:
                    found[axis].add("B" if is_stacked else letter)
        free = [axis for axis, letter in enumerate(letters) if letter == "O"]
        roots, first = set(), 0
        for path, length in weight.pieces:
            self._note_use(path, found, groups)
            units = length or (weight.shape[free[0]] if len(free) == 1 else 0)
            roots.add(Root(path, 0, units, first))
            first += units
        made = make_signal(find_signals(values), unit if len(free) == 1 else None)
        return replace(made, roots=frozenset(roots))

    def _note_use(self, path: str, found: Mapping[int, set[str]], groups: int) -> None:
        """Note the letters of a leaf: an axis that is gone was one of stacked kernels."""
        several = [found.get(axis, {"B"}) for axis in range(self._ranks[path])]
        letters = "".join(next((one for one in "OI" if one in some), min(some)) for some in several)
        if "I" in letters or "O" in letters:
            self.uses.setdefault(path, Use(letters, groups))


def name_gate(gate: Signal) -> str:
    """Name the gated unit that a factor makes of what it is multiplied by; "" where it makes none."""
    return GATED.get(gate.named or recognize(gate.values).name or "", "")


def find_signals(values: Sequence[Value]) -> list[Signal]:
    """Find the signals among values."""
    return [value for value in values if isinstance(value, Signal)]
