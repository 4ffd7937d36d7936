"""Curves: how cost grows with work. Time and memory against the size of a tensor, readers and slices."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Points = dict[str, list[tuple[float, list[float]]]]  # series → x with a figure for each round


@dataclass(frozen=True, slots=True)
class Curve:
    """What is measured over a range of work; `measure` returns Points. Otherwise as a row."""

    name: str
    work: str
    measure: str
    arguments: tuple[str, ...] = ()
    pinned: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The first word of the name."""
        return self.name.partition("-")[0]


CURVES = [
    Curve(
        "growth-size",
        "time and server memory against the size of a tensor, streamed to nowhere",
        "benchmarks.experiments.growth:grow_size",
    ),
    Curve(
        "growth-readers",
        "time and server memory against the number of readers, 16 MiB each",
        "benchmarks.experiments.growth:grow_readers",
    ),
    Curve(
        "growth-slices",
        "time of an element against the length of a slice's runs",
        "benchmarks.experiments.growth:grow_slices",
        pinned=True,
    ),
]
