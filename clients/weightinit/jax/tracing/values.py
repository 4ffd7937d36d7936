"""Values: what is known of an array in a traced program: a number, a kernel, or a signal and its function."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from weightinit.adapters.functions import GRID, Values, is_linear

Array = Any  # of JAX or NumPy, or a number
# An axis of a leaf, None for one that was added, and how much of it lies along an axis here.
Atom = tuple[int | None, int]
Dims = tuple[tuple[Atom, ...], ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """An array that no parameter and no input takes part in: a mask, positions, random numbers.

    `value` is its number where all elements are the same.
    """

    value: float | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter, moved perhaps: `dims` are the axes of the leaf along each axis here.

    `pieces` are the paths of those that are joined along the axis `joined`, each with its length there.
    """

    pieces: tuple[tuple[str, int], ...]
    dims: Dims
    joined: int | None = None
    value: float | None = None

    @classmethod
    def of(cls, path: str, shape: Sequence[int], value: float | None = None) -> "Weight":
        """Make the value of a whole leaf."""
        return cls(((path, 0),), tuple(((axis, length),) for axis, length in enumerate(shape)), value=value)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the leaves."""
        return tuple(path for path, _ in self.pieces)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes, where nothing was cut off."""
        return tuple(math.prod(size for _, size in atoms) for atoms in self.dims)

    def permute(self, axes: Iterable[int | None], sizes: Sequence[int] = ()) -> "Weight":
        """Return the weight with those of its axes; a new one of that size for each None."""
        order = list(axes)
        dims = tuple(
            ((None, sizes[index]),) if axis is None else self.dims[axis] for index, axis in enumerate(order)
        )
        joined = order.index(self.joined) if self.joined in order else None
        return replace(self, dims=dims, joined=None if self.joined is None else joined)

    def reshape(self, shape: Sequence[int]) -> "Weight":
        """Return the weight in another shape, with the axes of the leaf that each of its axes holds."""
        dims = regroup([atom for atoms in self.dims for atom in atoms], shape)
        kept = self.joined is not None and bool(shape) and self.joined == len(self.dims) - 1
        joined = len(shape) - 1 if kept and shape[-1] == self.shape[-1] else None
        if dims is None or (len(self.pieces) > 1 and joined is None):
            return Weight((), tuple(((None, length),) for length in shape))
        return replace(self, dims=dims, joined=joined)


def regroup(atoms: Sequence[Atom], shape: Sequence[int]) -> Dims | None:
    """Group axes in order to those of another shape, cutting them where need be; None where they do not fit.

    >>> regroup([(0, 4), (1, 6)], (4, 2, 3))
    (((0, 4),), ((1, 2),), ((1, 3),))
    """
    pending = [atom for atom in atoms if atom[1] != 1][::-1]
    dims = []
    for length in shape:
        taken: list[Atom] = []
        while (missing := length // math.prod(size for _, size in taken)) > 1:
            if not pending:
                return None
            axis, size = pending.pop()
            part = math.gcd(size, missing)
            if part == 1 or missing % part or size % part:
                return None
            taken.append((axis, part))
            if size > part:
                pending.append((axis, size // part))
        dims.append(tuple(taken) or ((None, 1),))
    return None if pending else tuple(dims)


@dataclass(frozen=True, slots=True)
class Root:
    """A kernel whose output a signal is: the `start` to `stop` of its units, `offset` of them before.

    `picked` says which elements were picked in other ways, `gate` the gated unit whose linear half it is.
    """

    path: str
    start: int
    stop: int
    offset: int = 0
    picked: tuple[object, ...] = ()
    gate: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """What depends on the inputs: a function, by its values on GRID, of the outputs of kernels, its roots.

    `ancestors` are the kernels that it went through before; `unit` is the axis along which the units of its
    roots lie, if that is known; `reduced` says whether it is a mean or a maximum of the outputs.
    """

    values: Values
    roots: frozenset[Root] = frozenset()
    ancestors: frozenset[str] = frozenset()
    unit: int | None = None
    reduced: bool = False
    named: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the signal is the output itself, up to a factor and a shift."""
        return not self.named and is_linear(self.values)

    @property
    def sources(self) -> frozenset[str]:
        """All kernels that it depends on."""
        return self.ancestors | {root.path for root in self.roots}

    def move(self, unit: int | None) -> "Signal":
        """Return the signal after a move of its elements, with its units along another axis."""
        return replace(self, unit=unit)

    def pick(self, mark: object, start: int | None = None, stop: int | None = None) -> "Signal":
        """Return the signal with some of its elements: some of the units, or others, by a mark."""
        roots = set()
        for root in self.roots:
            if start is None or stop is None:
                roots.add(replace(root, picked=(*root.picked, mark)))
                continue
            first = max(root.start, root.start + start - root.offset)
            last = min(root.stop, root.start + stop - root.offset)
            if first < last:
                offset = max(0, root.offset - start)
                roots.add(replace(root, start=first, stop=last, offset=offset))
        return replace(self, roots=frozenset(roots))


Value = Opaque | Weight | Signal


def make_signal(signals: Iterable[Signal] = (), unit: int | None = None) -> Signal:
    """Make a plain signal that comes from others through a kernel, or from outside."""
    ancestors = frozenset[str]().union(*(signal.sources for signal in signals))
    return Signal(GRID, ancestors=ancestors, unit=unit)


def read_number(array: Array) -> float | None:
    """Read the one number that all elements of an array are; None where they differ, or are no numbers.

    >>> read_number(np.ones(3)), read_number(np.arange(3))
    (1.0, None)
    """
    try:
        found = np.asarray(array)
        if not found.size or not (found == found.flat[0]).all():
            return None
        return float(found.flat[0])
    except (TypeError, ValueError):
        return None
