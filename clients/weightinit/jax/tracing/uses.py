"""Collect how a traced program uses each leaf: the axes of kernels and the products that use them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from weightinit.adapters.flow.graph import Node
from weightinit.jax.tracing.weights import Change, Effect, Weight

HIDDEN = "the traced model does not show how it is used"
MIXED = "one axis of it has inputs and outputs"
SHARED = "An axis of it has stacked kernels and inputs, and its scheme counts both."
TURNED = "It is used with other axes of inputs too."


@dataclass(frozen=True, slots=True)
class Use:
    """How a kernel is used: a letter for each axis, the number of groups, and a doubt about these or ""."""

    layout: str
    groups: int = 1
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """A product that uses a kernel: its outputs `start` to `stop` are the kernel's from `first` on.

    `use` has the kernel's axes; None if they are unknown.
    """

    node: Node
    start: int
    stop: int
    first: int = 0
    use: Use | None = None


class Uses:
    """The uses of a model's leaves by path; `shapes` are the shapes of all leaves.

    `layouts` are the kernels that a signal is multiplied by, `applications` the products that do so,
    `lookups` the tables that rows are read from. `lost` maps leaves in products that do not show their axes
    to the reasons; `touched` are all leaves that anything is computed from. `measured` are the products that
    only compute the norm of a kernel.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        self.layouts: dict[str, Use] = {}
        self.applications: dict[str, list[Application]] = defaultdict(list)
        self.lookups: set[str] = set()
        self.lost: dict[str, str] = {}
        self.touched: set[str] = set()
        self.measured: set[Node] = set()
        self._shapes = shapes

    def note(self, node: Node, weight: Weight, letters: Sequence[str], groups: int, count: int) -> None:
        """Record the product of a signal and a kernel, with `count` outputs and a letter for each axis."""
        bent = next((change for change in weight.changes if change.effect is Effect.BEND), None)
        if bent is not None:
            self.lose(
                (piece.path for piece in weight.pieces), f"{bent.label} is applied to it before its product"
            )
            return
        found: dict[int, set[str]] = defaultdict(set)
        for letter, atoms in zip(letters, weight.dims, strict=True):
            for index, (axis, size) in enumerate(atoms):
                # Convolutions with stacked kernels are one convolution with as many groups.
                behind = [other for other, _ in atoms[index + 1 :]]
                is_apart = letter == "O" and bool(behind) and axis not in behind
                is_stacked = is_apart and groups > 1 and groups % size == 0
                groups = groups // size if is_stacked else groups
                if axis is not None and (size > 1 or axis not in found):
                    found[axis].add("B" if is_stacked else letter)
        is_packed = weight.joined is not None and letters[weight.joined] == "O" and letters.count("O") == 1
        ahead, doubt = 0, describe(weight.changes)
        for piece in weight.pieces:
            stop = ahead + piece.length if is_packed else count
            use = self._read_use(piece.path, found, groups, doubt)
            first = piece.first if is_packed else 0
            self.applications[piece.path].append(Application(node, ahead, stop, first, use))
            ahead = stop if is_packed else 0

    def _read_use(self, path: str, found: Mapping[int, set[str]], groups: int, doubt: str) -> Use | None:
        """Return the use of a leaf from its letters; an axis that was removed is one of stacked kernels."""
        shape = self._shapes[path]
        several = [found.get(axis, {"B"}) for axis in range(len(shape))]
        if any({"I", "O"} <= some and shape[axis] > 1 for axis, some in enumerate(several)):
            self.lose([path], MIXED)
            return None
        letters = "".join(next((one for one in "OI" if one in some), min(some)) for some in several)
        if {"B", "I"} in several:
            doubt = f"{doubt} {SHARED}".strip()
        return Use(letters, groups, doubt) if "I" in letters or "O" in letters else None

    def lose(self, paths: Iterable[str], why: str = HIDDEN) -> None:
        """Record leaves in products that do not show how they are used."""
        for path in paths:
            self.lost.setdefault(path, why)

    def is_matrix(self, path: str) -> bool:
        """Return whether a leaf has several axes of more than one element."""
        return sum(size > 1 for size in self._shapes[path]) > 1

    def settle(self) -> None:
        """Decide how each kernel is used, after all of its products are recorded: the first counts."""
        for path, applications in self.applications.items():
            kept = [one for one in applications if one.node not in self.measured]
            self.applications[path] = kept
            uses = [one.use for one in kept if one.use is not None]
            if not uses:
                self.lose([path])
                continue
            doubts = dict.fromkeys(one.doubt for one in uses if one.doubt)
            if path in self.lost:
                doubts[f"It is used in another way too: {self.lost[path]}."] = None
            if len({one.layout for one in uses}) > 1:
                doubts[TURNED] = None
            self.layouts[path] = replace(uses[0], doubt=" ".join(doubts))


def describe(changes: Sequence[Change]) -> str:
    """Return a sentence about the changes of a kernel that its scheme does not account for, or ""."""
    labels = " and ".join(dict.fromkeys(change.label for change in changes))
    return f"Changed by {labels} before its product, which its scheme does not count." if labels else ""
