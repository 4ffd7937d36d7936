"""Wanted: a tensor that a framework's model has a place for, and how a published one gets there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from weightinit.fitting.pieces import Piece
from weightinit.fitting.published import Found
from weightinit.fitting.turning import find_axis, measure_axes, turn_spec
from weightinit.layouts import write_out
from weightinit.patterns import ModelRejected


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tensor that a framework's model has a place for, by its own names, of which the first found counts.

    `letters` are its axes, "" where nobody knows which is which. `gates` are packed along `axis`, each with a
    name of its own. An optional one may lack from what is published.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    letters: str = ""
    gates: tuple[str, ...] = ()
    axis: int = 0
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.names[0]} {list(self.shape)} {self.letters}".strip()


def stack(found: Sequence[Found], wanted: Wanted) -> list[Piece]:
    """Fit published tensors side by side along the axis that gates are packed along. Raises ModelRejected."""
    if len(found) == 1:
        return fit_tensor(found[0], wanted)
    length = wanted.shape[wanted.axis] // len(found)
    each = replace(wanted, shape=_resize(wanted.shape, wanted.axis, length), gates=())
    return [
        move(piece, wanted.axis, length * index, length)
        for index, one in enumerate(found)
        for piece in fit_tensor(one, each)
    ]


def fit_tensor(found: Found, wanted: Wanted) -> list[Piece]:
    """Fit one published tensor, turned where its axes have another order. Raises ModelRejected."""
    drawn = [piece.spec for piece in found.pieces if piece.spec]
    layouts = {write_out(spec.layout, len(spec.shape)) for spec in drawn}
    values = {piece.value for piece in found.pieces}
    if not drawn and len(values) == 1 and math.prod(found.shape) == math.prod(wanted.shape):
        return [Piece(found.name, value=values.pop())]  # there is nothing to turn
    if drawn and wanted.letters and layouts != {wanted.letters}:
        return turn_tensor(found, wanted, layouts)
    if found.shape != wanted.shape:
        raise ModelRejected(describe_found(found, wanted, layouts))
    return list(found.pieces)


def turn_tensor(found: Found, wanted: Wanted, layouts: set[str]) -> list[Piece]:
    """Turn the pieces of a tensor. Raises ModelRejected where its axes are others, or are cut elsewhere."""
    letters, known = min(layouts), describe_found(found, wanted, layouts)
    if len(layouts) > 1 or measure_axes(letters, found.shape) != measure_axes(wanted.letters, wanted.shape):
        raise ModelRejected(known)
    if len(found.pieces) == 1 and not _is_cut(found.pieces[0], found.shape):
        return [turn_piece(found.pieces[0], wanted, wanted.shape, 0)]
    axis = find_axis(wanted.letters, letters[0])
    if axis is None or wanted.shape[axis] != found.shape[0] or find_axis(letters, letters[0]) is None:
        raise ModelRejected(f"{known}, in parts that cannot be turned")
    return [
        turn_piece(piece, wanted, _resize(wanted.shape, axis, piece.spec.shape[0] if piece.spec else 1), axis)
        for piece in found.pieces
    ]


def describe_found(found: Found, wanted: Wanted, layouts: set[str]) -> str:
    """Describe a published tensor that does not fit: what is not as it is wanted."""
    name = "" if found.name in wanted.names else found.name
    letters = "" if layouts == {wanted.letters} else " and ".join(sorted(layouts))
    return " ".join(filter(None, ["is published as", name, str(list(found.shape)), letters]))


def turn_piece(piece: Piece, wanted: Wanted, shape: tuple[int, ...], axis: int) -> Piece:
    """Turn a piece, whose rows are along that axis then."""
    if piece.spec is None or piece.decided is None:
        return replace(piece, axis=axis)
    return replace(piece, axis=axis, spec=turn_spec(piece.spec, piece.decided, wanted.letters, shape))


def move(piece: Piece, axis: int, start: int, length: int) -> Piece:
    """Move a piece of a gate to the gate's rows. Raises ModelRejected where it is cut along another axis."""
    if piece.rows is None and not piece.first:
        return replace(piece, axis=axis, rows=slice(start, start + length))
    if piece.axis != axis:
        raise ModelRejected("is published in parts that lie across its gates")
    rows = piece.rows or slice(0, length)
    return replace(piece, rows=slice(rows.start + start, rows.stop + start))


def _is_cut(piece: Piece, shape: tuple[int, ...]) -> bool:
    return piece.spec is not None and piece.spec.shape != shape


def _resize(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])
