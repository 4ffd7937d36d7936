"""Matching: find the published tensors for a framework's tensors, and report all mismatches at once."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from weightinit.adapters.published import PublishedModel, Segment, Source
from weightinit.adapters.rules import ModelRejected, Patterns, Rule
from weightinit.spec.fields import list_unused
from weightinit.spec.layer import Spec
from weightinit.spec.layouts import write_out
from weightinit.spec.parameters import Parameters

# Stacked kernels and outputs come first in canonical order, next to each other: only their product counts.
KINDS = {"B": "O", "G": "O", "O": "O", "I": "I", "D": "field", "H": "field", "W": "field"}
FIELD = "DHW"


def measure_axes(letters: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the lengths that determine positions: outputs, inputs, and axes of the receptive field.

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
    """Return the axis of a letter's kind; None if there is none, or more than one.

    >>> find_axis("HWIO", "O"), find_axis("IOO", "O"), find_axis("HWGO", "I")
    (3, None, None)
    """
    axes = [axis for axis, other in enumerate(letters) if KINDS.get(other) == KINDS.get(letter)]
    return axes[0] if len(axes) == 1 else None


def permute_spec(spec: Spec, parameters: Parameters, letters: str, shape: tuple[int, ...]) -> Spec:
    """Return a spec with permuted axes, and exactly the same values.

    Its fans are set, so that the variance stays the same. Where they cannot be set, the axes must have the
    letters of the spec. Raises ModelRejected.
    """
    turned = replace(spec, shape=shape, layout=letters)
    if parameters.scheme == "explicit":
        return replace(turned, groups=1, transposed=False, stride=None)  # independent of the fans
    fans = parameters.fan_in, parameters.fan_out
    if "fan_in" not in list_unused(parameters.scheme) and all(isinstance(fan, int) for fan in fans):
        fan_in, fan_out = map(int, filter(None, fans))
        own = replace(turned, groups=1, transposed=False, stride=None, fans_as=None)
        return replace(own, fan_in=fan_in, fan_out=fan_out)
    if sorted(letters) != sorted(parameters.layout):
        raise ModelRejected(f"{spec.name} has the axes {parameters.layout}, not {letters}, for {spec.scheme}")
    return turned


@dataclass(frozen=True, slots=True)
class Target:
    """A tensor of a framework's model, with its names there; the first published one is used.

    `letters` are its axes, "" if they are unknown. `gates` are packed along `axis`, each with its own
    name, and of equal lengths unless `lengths` gives them. An `optional` one need not be published.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    letters: str = ""
    gates: tuple[str, ...] = ()
    axis: int = 0
    optional: bool = False
    lengths: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.names[0]} {list(self.shape)} {self.letters}".strip()


def stack(found: Sequence[Source], target: Target) -> list[Segment]:
    """Match published tensors to a target that packs them along its axis. Raises ModelRejected."""
    if len(found) == 1:
        return match_tensor(found[0], target)
    lengths = target.lengths or (target.shape[target.axis] // len(found),) * len(found)
    starts = itertools.accumulate(lengths, initial=0)
    return [
        move(segment, target.axis, start, length)
        for one, start, length in zip(found, starts, lengths, strict=False)
        for segment in match_tensor(one, narrow(target, length))
    ]


def narrow(target: Target, length: int) -> Target:
    """Return the target for a single gate of a length."""
    return replace(target, shape=_resize(target.shape, target.axis, length), gates=(), lengths=())


def match_tensor(found: Source, target: Target) -> list[Segment]:
    """Match one published tensor, permuted if its axes have another order. Raises ModelRejected."""
    drawn = [segment.spec for segment in found.segments if segment.spec]
    layouts = {write_out(spec.layout, len(spec.shape)) for spec in drawn}
    values = {segment.value for segment in found.segments}
    is_ruled = any(segment.tensor for segment in found.segments)  # whose elements follow from their place
    if not (drawn or is_ruled) and len(values) == 1 and has_elements_of(found.shape, target.shape):
        return [Segment(found.name, value=values.pop())]  # there is nothing to permute
    if drawn and target.letters and layouts != {target.letters}:
        return permute_tensor(found, target, layouts)
    if found.shape != target.shape:
        raise ModelRejected(describe_found(found, target, layouts))
    return list(found.segments)


def has_elements_of(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Return whether two shapes have equally many elements; empty ones also need the same axes.

    >>> has_elements_of((1,), ()), has_elements_of((3, 4), (4, 3)), has_elements_of((0, 3), (0, 4))
    (True, True, False)
    """
    if 0 in shape or 0 in other:
        return sorted(shape) == sorted(other)
    return math.prod(shape) == math.prod(other)


def permute_tensor(found: Source, target: Target, layouts: set[str]) -> list[Segment]:
    """Permute the segments of a tensor. Raises ModelRejected if its axes or parts do not allow it."""
    letters, known = min(layouts), describe_found(found, target, layouts)
    if len(layouts) > 1 or measure_axes(letters, found.shape) != measure_axes(target.letters, target.shape):
        raise ModelRejected(known)
    if len(found.segments) == 1 and not _is_cut(found.segments[0], found.shape):
        return [permute_segment(found.segments[0], target, target.shape, 0)]
    stacked = found.segments[0].axis
    axis = find_axis(target.letters, letters[stacked])
    if (
        axis is None
        or target.shape[axis] != found.shape[stacked]
        or find_axis(letters, letters[stacked]) is None
    ):
        raise ModelRejected(f"{known}, in parts that cannot be permuted")
    return [
        permute_segment(
            segment,
            target,
            _resize(target.shape, axis, segment.spec.shape[stacked] if segment.spec else 1),
            axis,
        )
        for segment in found.segments
    ]


def describe_found(found: Source, target: Target, layouts: set[str]) -> str:
    """Describe a published tensor that does not fit its target."""
    name = "" if found.name in target.names else found.name
    letters = "" if layouts == {target.letters} else " and ".join(sorted(layouts))
    return " ".join(filter(None, ["is published as", name, str(list(found.shape)), letters]))


def permute_segment(segment: Segment, target: Target, shape: tuple[int, ...], axis: int) -> Segment:
    """Permute a segment; its rows are then along `axis`."""
    if segment.spec is None or segment.parameters is None:
        return replace(segment, axis=axis)
    return replace(
        segment, axis=axis, spec=permute_spec(segment.spec, segment.parameters, target.letters, shape)
    )


def move(segment: Segment, axis: int, start: int, length: int) -> Segment:
    """Shift a gate's segment to the gate's rows. Raises ModelRejected if it is split along another axis."""
    if segment.rows is None and not segment.first:
        return replace(segment, axis=axis, rows=slice(start, start + length))
    if segment.axis != axis:
        raise ModelRejected("is published in parts that cross its gates")
    rows = segment.rows or slice(0, length)
    return replace(segment, rows=slice(rows.start + start, rows.stop + start))


def _is_cut(segment: Segment, shape: tuple[int, ...]) -> bool:
    return segment.spec is not None and segment.spec.shape != shape


def _resize(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])


Rename = Callable[[str], str]

ADVICE = "Map names with rename=, or skip tensors that only one of the two has with strict=False"


def match_model(
    published: PublishedModel, targets: Mapping[str, Target], rename: Rename, *, strict: bool
) -> dict[str, list[Segment]]:
    """Match a published model to targets: return the segments of each, [] for one that keeps its values.

    `rename` maps the model's names to the published ones. Raises ModelRejected, which lists every tensor
    that does not fit and, if strict, every tensor that only one of the two has.
    """
    matcher = Matcher(published, rename)
    found = {key: matcher.fit(one) for key, one in targets.items()}
    unmatched = matcher.find_unmatched() if strict else []
    if problems := [*matcher.mismatches, *unmatched]:
        advice = f". {ADVICE}" if unmatched else ""
        listed = "; ".join(problems)
        raise ModelRejected(f"{published.reference} does not fit this model: {listed}{advice}")
    return found


class Matcher:
    """Finds the published tensors for each target; `mismatches` has the errors."""

    def __init__(self, published: PublishedModel, rename: Rename) -> None:
        self.mismatches: list[str] = []
        self._missing: list[str] = []
        self._published = published
        self._rename = rename
        self._used: set[str] = set()
        self._whole = {tensor.name for tensor in published.tensors}

    def fit(self, target: Target) -> list[Segment]:
        """Return the segments for a target; [] if it is missing or does not fit."""
        found = self._find_gates(target) or self._find(target.names)
        if not found and not target.optional:
            self._missing.append(f"{target} is not published")
        self._used.update(one.name for one in found)
        try:
            return stack(found, target) if found else []
        except ModelRejected as error:
            self.mismatches.append(f"{target} {error}")
            return []

    def find_unmatched(self) -> list[str]:
        """List the tensors that only one of the two has: first the model's, then the published ones.

        Published tensors that are not weights are ignored, such as batch counters, which other frameworks
        lack.
        """
        unmatched = (one for one in self._published.tensors if one.is_weight and not self._is_used(one))
        return [
            *self._missing,
            *(f"{one.name} {list(one.shape)} is published, but not in the model" for one in unmatched),
        ]

    def _is_used(self, tensor: Source) -> bool:
        parts = {segment.name for segment in tensor.segments} - self._whole
        return tensor.name in self._used or (parts <= self._used and len(parts) == len(tensor.segments))

    def _find(self, names: Iterable[str]) -> list[Source]:
        found = (self._published.find(self._rename(name)) for name in names)
        return [one for one in found if one][:1]

    def _find_gates(self, target: Target) -> list[Source]:
        """Return all gates by their names, in any order of packing; [] if one is missing."""
        if not target.gates:
            return []
        gates = [self._find(f"{name}.{gate}" for name in target.names) for gate in target.gates]
        if not all(gates) and (whole := self._find(target.names)):
            parts = [self._published.find(f"{whole[0].name}.{gate}") for gate in target.gates]
            gates = [[part] if part else [] for part in parts]
        return [one for found in gates for one in found] if all(gates) else []


def find_letters(rules: Patterns[Rule], names: Sequence[str], known: str, rank: int) -> str | None:
    """Return the layout of a tensor, "" if it is unknown; None if a rule keeps the tensor.

    `known` is its layer's layout. Raises ModelRejected for a rule with more than a layout, since the
    published model determines the rest.

    >>> find_letters(Patterns("rules", {"query/*": {"layout": "IOO"}}), ["query/kernel"], "", 3)
    'IOO'
    """
    found = rules.find(names)
    if found is None:
        return known
    _, rule = found
    if rule is None:
        return None
    if not isinstance(rule, Mapping) or set(rule) - {"layout"}:
        raise ModelRejected(
            f"a rule may only give the layout of {names[0]}: the published model sets the rest"
        )
    return write_out(rule.get("layout", known), rank)
