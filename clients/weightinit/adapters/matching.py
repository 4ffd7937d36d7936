"""The fitter: which published tensors fill which of a framework's, and all that does not fit at once."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from weightinit.adapters.published import Found, Piece, Published
from weightinit.adapters.rules import ModelRejected, Rules, find_said
from weightinit.spec.layer import LayerFields, Spec
from weightinit.spec.layouts import write_out
from weightinit.spec.parameters import Parameters

# Stacked kernels and outputs come first in canonical order, next to each other: only their product counts.
KINDS = {"B": "O", "G": "O", "O": "O", "I": "I", "D": "field", "H": "field", "W": "field"}
FIELD = "DHW"


def measure_axes(letters: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Measure what positions follow from: all outputs, all inputs, and the lengths of the field.

    >>> measure_axes("OIHW", (8, 1, 3, 5)), measure_axes("HWGO", (3, 5, 4, 2))
    ((8, 1, 3, 5), (8, 1, 3, 5))
    >>> measure_axes("OI", (6, 4)) == measure_axes("IOO", (4, 2, 3))
    True
    """
    outputs = inputs = 1
    for letter, length in zip(letters, shape, strict=True):
        outputs *= length if KINDS.get(letter) == "O" else 1
        inputs *= length if KINDS.get(letter) == "I" else 1
    axes = sorted((letter, axis) for axis, letter in enumerate(letters) if letter in FIELD)
    return (outputs, inputs, *(shape[axis] for _, axis in axes if shape[axis] > 1))


def find_axis(letters: str, letter: str) -> int | None:
    """Find the axis that is of a letter's kind; None where there is none, or more than one.

    >>> find_axis("HWIO", "O"), find_axis("IOO", "O"), find_axis("HWGO", "I")
    (3, None, None)
    """
    axes = [axis for axis, other in enumerate(letters) if KINDS.get(other) == KINDS.get(letter)]
    return axes[0] if len(axes) == 1 else None


def turn_spec(spec: Spec, decided: Parameters, letters: str, shape: tuple[int, ...]) -> Spec:
    """Turn a spec to other axes. Its fans are said, so that the spread is the same, to the last bit."""
    fan_in, fan_out = decided.fan_in, decided.fan_out
    return replace(spec, shape=shape, layout=letters, groups=1, fan_in=fan_in, fan_out=fan_out)


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


Rename = Callable[[str], str]

ADVICE = "Published names are said with name=; strict=False leaves alone what only one of the two has"


def fit_model(
    published: Published, wanted: Mapping[str, Wanted], rename: Rename, *, strict: bool
) -> dict[str, list[Piece]]:
    """Fit a published model into the tensors that are wanted: the pieces of each, [] where it is left alone.

    `rename` makes the published names of one's own. Raises ModelRejected, which lists every tensor that does
    not fit; and unless not strict, all those that only one of the two has.
    """
    fitter = Fitter(published, rename)
    found = {key: fitter.fit(one) for key, one in wanted.items()}
    lone = fitter.find_lone() if strict else []
    if problems := [*fitter.unfit, *lone]:
        advice = f". {ADVICE}" if lone else ""
        listed = "; ".join(problems)
        raise ModelRejected(f"{published.reference} does not fit this model: {listed}{advice}")
    return found


class Fitter:
    """Finds what is published for each tensor, and notes in `unfit` what does not fit."""

    def __init__(self, published: Published, rename: Rename) -> None:
        self.unfit: list[str] = []
        self._missing: list[str] = []
        self._published = published
        self._rename = rename
        self._used: set[str] = set()
        self._whole = {tensor.name for tensor in published.tensors}

    def fit(self, wanted: Wanted) -> list[Piece]:
        """Fit one tensor; [] where it is missing, or does not fit."""
        found = self._find_gates(wanted) or self._find(wanted.names)
        if not found and not wanted.optional:
            self._missing.append(f"{wanted} is not published")
        self._used.update(one.name for one in found)
        try:
            return stack(found, wanted) if found else []
        except ModelRejected as error:
            self.unfit.append(f"{wanted} {error}")
            return []

    def find_lone(self) -> list[str]:
        """Find the tensors that only one of the two has: those that are wanted, then those published."""
        lone = (tensor for tensor in self._published.tensors if not self._is_used(tensor))
        return [*self._missing, *(f"{one.name} {list(one.shape)} is only published" for one in lone)]

    def _is_used(self, tensor: Found) -> bool:
        parts = {piece.name for piece in tensor.pieces} - self._whole
        return tensor.name in self._used or (parts <= self._used and len(parts) == len(tensor.pieces))

    def _find(self, names: Iterable[str]) -> list[Found]:
        found = (self._published.find(self._rename(name)) for name in names)
        return [one for one in found if one][:1]

    def _find_gates(self, wanted: Wanted) -> list[Found]:
        """Find all gates by their names, whatever order they are packed in; [] where one is not there."""
        if not wanted.gates:
            return []
        gates = [self._find(f"{name}.{gate}" for name in wanted.names) for gate in wanted.gates]
        if not all(gates) and (whole := self._find(wanted.names)):
            parts = [self._published.find(f"{whole[0].name}.{gate}") for gate in wanted.gates]
            gates = [[part] if part else [] for part in parts]
        return [one for found in gates for one in found] if all(gates) else []


def find_letters(rules: Rules, name: str, known: LayerFields | None, rank: int) -> str | None:
    """Find the axes of a tensor, "" where nobody says them; None where a rule leaves the tensor alone.

    `known` is what a framework's kernel is, in Keras' order unless it says another. Raises ModelRejected for
    a rule that says more than a layout: how tensors start is the published model's to say.

    >>> find_letters({"query/*": {"layout": "IOO"}}, "query/kernel", {}, 3), find_letters({}, "bias", None, 1)
    ('IOO', '')
    """
    said = find_said(rules, name, LayerFields())
    if said is None:
        return None
    if set(said) - {"layout"}:
        raise ModelRejected(f"rules may say only the layout of {name}: the published model says the rest")
    default = "" if known is None else known.get("layout", "keras")
    return write_out(said.get("layout", default), rank)
