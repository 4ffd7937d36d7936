"""Follow kernels through reshapes, slices and joins before their product, axis by axis."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from weightinit.jax.tracing.primitives import KEEPING, REDUCING

Equation = Any  # a jax.extend.core.JaxprEqn
# An axis of a leaf, or None for an added axis, and how many of its elements lie along an axis here.
Atom = tuple[int | None, int]
Dims = tuple[tuple[Atom, ...], ...]


class Effect(Enum):
    """The effect of a change of a kernel's values on the scheme by which it is drawn."""

    SCALE = "scale"  # another variance
    JOIN = "join"  # another variance, as other values are added
    FUNCTION = "function"  # nearly none for small numbers
    BEND = "bend"  # the scheme does not apply


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a kernel's values before its product, with its label for messages."""

    label: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a leaf along a weight's axis `joined`: `length` elements from `first` on; 0 for all."""

    path: str
    first: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter, perhaps moved: `dims` are the axes of the leaf along each axis here.

    `pieces` are the leaves, or parts of them, concatenated along the axis `joined`; empty if the axes are no
    longer known. `changes` are those of its values; `is_normed` if it was divided by its own norm, so that
    its scale has no effect.
    """

    pieces: tuple[Piece, ...]
    dims: Dims
    joined: int | None = None
    changes: tuple[Change, ...] = ()
    is_normed: bool = False

    @classmethod
    def of(cls, path: str, shape: Sequence[int]) -> "Weight":
        """Return the weight of a whole leaf."""
        return cls((Piece(path),), tuple(((axis, length),) for axis, length in enumerate(shape)))

    @classmethod
    def lose(cls, shape: Sequence[int]) -> "Weight":
        """Return a weight whose axes are unknown."""
        return cls((), tuple(((None, length),) for length in shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return tuple(math.prod(size for _, size in atoms) for atoms in self.dims)

    @property
    def rank(self) -> int:
        """The number of axes that derive from a leaf and have more than one element."""
        return sum(any(axis is not None and size > 1 for axis, size in atoms) for atoms in self.dims)

    def change(self, change: Change) -> "Weight":
        """Return the weight after a change of its values."""
        if change in self.changes or (self.is_normed and change.effect is Effect.SCALE):
            return self
        return replace(self, changes=(*self.changes, change))

    def normalize(self) -> "Weight":
        """Return the weight after division by its own norm."""
        kept = tuple(change for change in self.changes if change.effect is not Effect.SCALE)
        return replace(self, changes=kept, is_normed=True)

    def permute(self, axes: Iterable[int | None], sizes: Sequence[int] = ()) -> "Weight":
        """Return the weight with its axes in another order, and a new one of the given size for each None."""
        order = list(axes)
        dims = tuple(
            ((None, sizes[index]),) if axis is None else self.dims[axis] for index, axis in enumerate(order)
        )
        if self.joined is None or self.joined in order:
            joined = None if self.joined is None else order.index(self.joined)
            return replace(self, dims=dims, joined=joined)
        whole = tuple(dict.fromkeys(Piece(piece.path) for piece in self.pieces))
        return replace(self, pieces=whole if len(whole) == 1 else (), dims=dims, joined=None)

    def reshape(self, shape: Sequence[int]) -> "Weight":
        """Return the weight in another shape, with the axes of the leaf along each new axis."""
        dims = regroup([atom for atoms in self.dims for atom in atoms], shape)
        if dims is None or self.joined is None:
            return self.lose(shape) if dims is None else replace(self, dims=dims)
        joined = next((axis for axis, atoms in enumerate(dims) if atoms == self.dims[self.joined]), None)
        return self.lose(shape) if joined is None else replace(self, dims=dims, joined=joined)

    def cut(self, axis: int, start: int, stop: int) -> "Weight":
        """Return the slice of the weight from start to stop along an axis."""
        whole = self.shape[axis]
        if (start, stop) == (0, whole):
            return self
        dims = tuple(
            ((atoms[0][0] if len(atoms) == 1 else None, stop - start),) if index == axis else atoms
            for index, atoms in enumerate(self.dims)
        )
        if len(self.dims[axis]) != 1 or self.joined not in {None, axis}:
            return self.lose(replace(self, dims=dims).shape)  # cut along two axes, or along a merged axis
        pieces, ahead = [], 0
        for piece in self.pieces:
            length = piece.length or whole
            first, last = max(start, ahead), min(stop, ahead + length)
            if first < last:
                pieces.append(Piece(piece.path, piece.first + first - ahead, last - first))
            ahead += length
        return replace(self, pieces=tuple(pieces), dims=dims, joined=axis)


def regroup(atoms: Sequence[Atom], shape: Sequence[int]) -> Dims | None:
    """Split and merge axes, in order, into another shape; None if the sizes do not fit.

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


def join(weights: Sequence[Weight], axis: int, shape: Sequence[int]) -> Weight:
    """Concatenate weights along an axis."""
    fits = all(weight.joined in {None, axis} and len(weight.dims) == len(shape) for weight in weights)
    kinds = {tuple(tuple(axes for axes, _ in atoms) for atoms in weight.dims) for weight in weights}
    if not fits or len(kinds) != 1:
        return Weight.lose(shape)
    pieces = tuple(
        replace(piece, length=piece.length or weight.shape[axis])
        for weight in weights
        for piece in weight.pieces
    )
    dims = tuple(
        ((atoms[0][0], shape[axis]),) if index == axis and len(atoms) == 1 else atoms
        for index, atoms in enumerate(weights[0].dims)
    )
    changes = tuple(dict.fromkeys(change for weight in weights for change in weight.changes))
    return Weight(pieces, dims, axis, changes, all(weight.is_normed for weight in weights))


def move_weight(equation: Equation, weight: Weight) -> list[Weight | None]:
    """Return the weights of an operation's results; None for a result that is not a kernel."""
    shapes = [atom.aval.shape for atom in equation.outvars]
    if equation.primitive.name == "unstack":
        axis = equation.params["axis"]
        return [weight.permute(one for one in range(len(weight.dims)) if one != axis)] * len(shapes)
    if equation.primitive.name != "split":
        return [_move(equation, weight, shape) for shape in shapes]
    axis, ahead, parts = equation.params["axis"], 0, []
    for size in equation.params["sizes"]:
        parts.append(weight.cut(axis, ahead, ahead + int(size)))
        ahead += int(size)
    return [*parts]


def _move(equation: Equation, weight: Weight, shape: Sequence[int]) -> Weight | None:  # noqa: PLR0911 - a case each
    name, params, rank = equation.primitive.name, equation.params, len(weight.dims)
    if name in REDUCING:
        return None  # a reduction, such as a norm that the kernel is divided by
    if name in KEEPING or name == "rev":
        return weight
    if name == "transpose":
        return weight.permute(params["permutation"])
    if name == "reshape":
        turned = weight.permute(params["dimensions"]) if params["dimensions"] else weight
        return turned.reshape(shape)
    if name == "squeeze":
        dropped = {axis % rank for axis in params["dimensions"]}
        return weight.permute(axis for axis in range(rank) if axis not in dropped)
    if name == "broadcast_in_dim":
        places = {place: axis for axis, place in enumerate(params["broadcast_dimensions"])}
        return weight.permute((places.get(axis) for axis in range(len(shape))), shape)
    if name == "slice" and params["strides"] is None:
        return _slice(weight, params["start_indices"], params["limit_indices"])
    if name == "dynamic_slice":  # the start is unknown: one of several stacked kernels
        is_one = all(new in {1, old} for new, old in zip(shape, weight.shape, strict=True))
        return _slice(weight, [0] * rank, shape) if is_one else Weight.lose(shape)
    if name == "gather" and rank > 2:
        return _gather(equation, weight, shape)
    return Weight.lose(shape)


def _gather(equation: Equation, weight: Weight, shape: Sequence[int]) -> Weight:
    """Select whole kernels of a stack, with the axes of the indices at the given positions."""
    numbers, taken = (
        equation.params["dimension_numbers"],
        set(equation.params["dimension_numbers"].collapsed_slice_dims),
    )
    kept = [axis for axis in range(len(weight.dims)) if axis not in taken]
    sizes = equation.params["slice_sizes"]
    if numbers.operand_batching_dims or any(sizes[axis] != weight.shape[axis] for axis in kept):
        return Weight.lose(shape)
    places = dict(zip(numbers.offset_dims, kept, strict=True))
    return weight.permute((places.get(axis) for axis in range(len(shape))), shape)


def _slice(weight: Weight, starts: Sequence[int], stops: Sequence[int]) -> Weight:
    for axis, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        weight = weight.cut(axis, start, stop)
    return weight
