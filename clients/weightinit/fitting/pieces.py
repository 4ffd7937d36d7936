"""Pieces: what a framework's tensor is put together of, where a published model says how it starts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from weightinit.buffers import make_array
from weightinit.client import Client
from weightinit.dtypes import DTYPES, find_numpy_dtype
from weightinit.parameters import Parameters
from weightinit.spec import Spec

if TYPE_CHECKING:
    from weightinit.buffers import Array

# A cut of each axis: a box of a tensor.
Cuts = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a tensor along an axis, all of it where `rows` is None: drawn, or of one value everywhere.

    What is drawn are rows of a spec's tensor, from `first` on; `name` is what the published model calls it.
    """

    name: str
    spec: Spec | None = None
    decided: Parameters | None = None
    value: float = 0.0
    axis: int = 0
    rows: slice | None = None
    first: int = 0

    def cut(self, cuts: Cuts) -> Cuts | None:
        """Cut a box of the tensor down to these rows; None where it has none of them."""
        if self.rows is None:
            return cuts
        cut = cuts[self.axis]
        start, stop = max(cut.start, self.rows.start), min(cut.stop, self.rows.stop)
        return _set_axis(cuts, self.axis, slice(start, stop)) if start < stop else None

    def read(self, cuts: Cuts, dtype: str, client: Client) -> "Array":
        """Read a box of the tensor, all of it in these rows."""
        if self.spec is None:
            shape = [cut.stop - cut.start for cut in cuts]
            return np.full(shape, self.value, find_numpy_dtype(DTYPES[dtype]))
        shift = self.first - (self.rows.start if self.rows else 0)
        cut = cuts[self.axis]
        asked = _set_axis(cuts, self.axis, slice(cut.start + shift, cut.stop + shift))
        return client.weights(replace(self.spec, dtype=dtype), slice=asked)


def read_box(pieces: Sequence[Piece], cuts: Cuts, dtype: str, client: Client) -> "Array":
    """Read a box of the tensor that some pieces make up, asking for no more than it has of each."""
    shares = [(piece, share) for piece in pieces if (share := piece.cut(cuts))]
    if len(shares) == 1:
        return shares[0][0].read(cuts, dtype, client)
    array = make_array(tuple(cut.stop - cut.start for cut in cuts), DTYPES[dtype])
    for piece, share in shares:
        inside = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(share, cuts, strict=True)
        )
        array[inside] = piece.read(share, dtype, client)
    return array


def name_pieces(pieces: Sequence[Piece]) -> list[str]:
    """Name the pieces of one tensor, to be written behind its name: by the ends of their names, or by rows.

    >>> name_pieces([Piece("lstm.i", rows=slice(0, 4)), Piece("lstm.f", rows=slice(4, 8))])
    ['.i', '.f']
    >>> name_pieces([Piece("table", rows=slice(0, 1)), Piece("table", rows=slice(1, 9))])
    ['[0:1]', '[1:9]']
    """
    counts = Counter(piece.name.rpartition(".")[2] for piece in pieces)
    return ["" if piece.rows is None else _name_rows(piece, piece.rows, counts) for piece in pieces]


def span(shape: Sequence[int]) -> Cuts:
    """Return the cuts of the box that is all of a shape.

    >>> span((2, 3))
    (slice(0, 2, None), slice(0, 3, None))
    """
    return tuple(slice(0, length) for length in shape)


def _name_rows(piece: Piece, rows: slice, counts: Counter[str]) -> str:
    end = piece.name.rpartition(".")[2]
    return f".{end}" if counts[end] == 1 else f"[{rows.start}:{rows.stop}]"


def _set_axis(cuts: Cuts, axis: int, cut: slice) -> Cuts:
    return (*cuts[:axis], cut, *cuts[axis + 1 :])
