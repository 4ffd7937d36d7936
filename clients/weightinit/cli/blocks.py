"""Blocks: sort names naturally, and write names that differ only by a number as one, with braces."""

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

# Numbers without leading zeros, as in braces: `01` is text.
NUMBER = re.compile(r"(?<![0-9])(0|[1-9][0-9]{0,8})(?![0-9])", re.ASCII)
DIGITS = re.compile(r"([0-9]+)", re.ASCII)

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Names that are written as one: the text with braces, their number, and the index of the first."""

    text: str
    count: int
    first: int


def make_sort_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Return the sort key for the natural order of names.

    >>> sorted(["layer.10", "layer.2", "bias"], key=make_sort_key)
    ['bias', 'layer.2', 'layer.10']
    """
    pieces = DIGITS.split(name)
    return tuple((0, int(piece)) if index % 2 else (1, piece) for index, piece in enumerate(pieces))


def find_blocks(names: Sequence[str], traits: Iterable[Hashable]) -> list[Block]:
    """Group the names that differ only by consecutive numbers, and have equal traits.

    Blocks are in the order of their first names, and written as in a model's file.

    >>> find_blocks(["h.0.q", "h.0.k", "h.1.q", "h.1.k"], ["A", "B", "A", "B"])
    [Block(text='h.{0..1}.q', count=2, first=0), Block(text='h.{0..1}.k', count=2, first=1)]
    """
    groups: dict[tuple[tuple[str, ...], Hashable], dict[Ranges, int]] = {}
    for place, (name, trait) in enumerate(zip(names, traits, strict=True)):
        pieces = NUMBER.split(name)
        numbers = tuple((int(text), int(text)) for text in pieces[1::2])
        groups.setdefault((tuple(pieces[::2]), trait), {})[numbers] = place
    blocks = [
        Block(_write_name(texts, ranges), math.prod(last - first + 1 for first, last in ranges), place)
        for (texts, _), places in groups.items()
        for ranges, place in _merge_ranges(places).items()
    ]
    return sorted(blocks, key=lambda block: block.first)


def _merge_ranges(places: dict[Ranges, int]) -> dict[Ranges, int]:
    """Merge ranges that are consecutive along one axis and equal along the others, axis after axis."""
    for axis in range(len(next(iter(places)))):
        merged: dict[Ranges, int] = {}
        previous: Ranges | None = None
        for ranges in sorted(places, key=lambda ranges: (ranges[:axis], ranges[axis + 1 :], ranges[axis])):
            place = places[ranges]
            if previous is not None and _follows(ranges, previous, axis):
                place = min(place, merged.pop(previous))
                ranges = (*ranges[:axis], (previous[axis][0], ranges[axis][1]), *ranges[axis + 1 :])  # noqa: PLW2901
            merged[ranges] = place
            previous = ranges
        places = merged
    return places


def _follows(ranges: Ranges, previous: Ranges, axis: int) -> bool:
    is_equal = ranges[:axis] == previous[:axis] and ranges[axis + 1 :] == previous[axis + 1 :]
    return is_equal and ranges[axis][0] == previous[axis][1] + 1


def _write_name(texts: Sequence[str], ranges: Ranges) -> str:
    numbers = [str(first) if first == last else f"{{{first}..{last}}}" for first, last in ranges]
    return "".join(text + number for text, number in zip(texts, [*numbers, ""], strict=True))
