"""The fitter: which published tensors fill which of a framework's, and all that does not fit at once."""

from collections.abc import Callable, Iterable, Mapping

from weightinit.fitting.pieces import Piece
from weightinit.fitting.published import Found, Published
from weightinit.fitting.wanted import Wanted, stack
from weightinit.layouts import write_out
from weightinit.patterns import ModelRejected, Rules, find_said
from weightinit.spec import LayerFields

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
