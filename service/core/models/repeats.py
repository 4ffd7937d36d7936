"""Repeats: parts of a model that would have the same draws, which is a mistake unless they are copies.

The draws of a part depend on the model's seed, its name and its rows. Two parts of one name therefore start
from the same values: layers that should differ are equal, and stay correlated.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from service.core.errors import FieldError
from service.core.models.model import Drawn, ModelTensor


class DrawnPart(NamedTuple):
    """A drawn part and its place in a model."""

    part: Drawn
    place: str  # the path of the part, as errors have it

    @property
    def band(self) -> tuple[int, int, int]:
        """The axis that the part takes a half-open interval of, 0 for the whole tensor, and that interval."""
        lengths = zip(self.part.slices, self.part.spec.shape, strict=True)
        cut = [axis for axis, (taken, length) in enumerate(lengths) if taken != slice(0, length)]
        axis = cut[0] if cut else 0
        return axis, self.part.slices[axis].start, self.part.slices[axis].stop

    def refuse(self, rule: str) -> FieldError:
        """Return the error for a name that breaks a rule."""
        return FieldError.of("name", rule, self.part.name).within(self.place)


def find_repeats(tensors: Iterable[ModelTensor]) -> Iterator[FieldError]:
    """Yield an error for each drawn part that repeats the draws of another and is not marked as a copy."""
    originals: defaultdict[str, list[DrawnPart]] = defaultdict(list)
    copies: list[DrawnPart] = []
    for tensor in tensors:
        for number, part in enumerate(tensor.parts):
            if isinstance(part, Drawn):
                drawn = DrawnPart(part, tensor.locate(number))
                if part.copy:
                    copies.append(drawn)
                else:
                    originals[part.name].append(drawn)
    for parts in originals.values():
        yield from _compare(sorted(parts, key=lambda drawn: drawn.band))
    for drawn in copies:
        if not any(one.part.spec == drawn.part.spec for one in originals[drawn.part.name]):
            yield drawn.refuse("must be that of another part with the same spec, which copy repeats")


def _compare(parts: list[DrawnPart]) -> Iterator[FieldError]:
    """Compare parts of one name, in the order of their rows, each with the one before it."""
    for before, drawn in pairwise(parts):
        if drawn.part.spec != before.part.spec:
            yield drawn.refuse(f"must be another than that of {before.place}, which has another spec")
        elif drawn.band[0] != before.band[0] or drawn.band[1] < before.band[2]:
            # Parts that take intervals of two axes meet where these cross.
            rows = before.part.slice_text or "all"
            yield drawn.refuse(
                f"must be another than that of {before.place}, or have other rows (that part has {rows}); "
                "set copy to repeat the draws"
            )
