"""Uses: how a traced program uses each leaf: the axes of its kernels, and the products that apply them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weightinit.adapters.flow.graph import Node
from weightinit.jax.tracing.weights import Weight


@dataclass(frozen=True, slots=True)
class Use:
    """How a kernel is used: a letter for each axis, and the number of groups."""

    layout: str
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Application:
    """A product that applies a kernel: its outputs `start` to `stop` are the kernel's from `first` on."""

    node: Node
    start: int
    stop: int
    first: int = 0


class Uses:
    """How the leaves of a model are used, by their paths; `ranks` are the numbers of their axes.

    `layouts` are the kernels that a signal is multiplied by, `applications` the products that do it,
    `lookups` the tables that rows are read from. `lost` are leaves in products that do not show their axes,
    and `touched` all that anything is computed from.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self.layouts: dict[str, Use] = {}
        self.applications: dict[str, list[Application]] = defaultdict(list)
        self.lookups: set[str] = set()
        self.lost: set[str] = set()
        self.touched: set[str] = set()
        self._ranks = ranks

    def note(self, node: Node, weight: Weight, letters: Sequence[str], groups: int, count: int) -> None:
        """Note the product of a signal and a kernel, of `count` outputs, with a letter for each axis."""
        found: dict[int, set[str]] = defaultdict(set)
        for letter, atoms in zip(letters, weight.dims, strict=True):
            for index, (axis, size) in enumerate(atoms):
                # Convolutions of stacked kernels are one with as many groups.
                behind = [other for other, _ in atoms[index + 1 :]]
                is_apart = letter == "O" and bool(behind) and axis not in behind
                is_stacked = is_apart and groups > 1 and groups % size == 0
                groups = groups // size if is_stacked else groups
                if axis is not None:
                    found[axis].add("B" if is_stacked else letter)
        is_packed = weight.joined is not None and letters[weight.joined] == "O" and letters.count("O") == 1
        if not is_packed:
            for piece in weight.pieces:
                self._note_letters(piece.path, found, groups)
                self.applications[piece.path].append(Application(node, 0, count))
            return
        ahead = 0
        for piece in weight.pieces:
            self._note_letters(piece.path, found, groups)
            stop = ahead + piece.length
            self.applications[piece.path].append(Application(node, ahead, stop, piece.first))
            ahead = stop

    def _note_letters(self, path: str, found: Mapping[int, set[str]], groups: int) -> None:
        """Note the letters of a leaf: an axis that is gone was one of stacked kernels."""
        several = [found.get(axis, {"B"}) for axis in range(self._ranks[path])]
        letters = "".join(next((one for one in "OI" if one in some), min(some)) for some in several)
        if "I" in letters or "O" in letters:
            self.layouts.setdefault(path, Use(letters, groups))
