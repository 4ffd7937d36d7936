"""Measurements: contestants that take turns, and how their figures compare."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

Measure = Callable[[], float]
Figures = dict[str, list[float]]  # contestant → a figure for each round, ours first
Compared = Literal["ratio", "difference", "value"]
Goal = Literal["at least", "at most"]

# Between turns: OpenMP's threads spin for a while after their work, and would do so in the next one's time.
PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours beside the best peer: both medians, and what compares them in each round.

    `peer` is empty where there is nothing to compare with.
    """

    peer: str
    ours: float
    theirs: float
    values: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median over the rounds."""
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the largest."""
        return min(self.values), max(self.values)


def alternate(
    contestants: Mapping[str, Measure],
    rounds: int,
    *,
    warmups: int = 1,
    rest: Callable[[], None] = lambda: time.sleep(PAUSE),
) -> Figures:
    """Let every contestant measure once a round, and return their figures without those of the warm-up.

    The first of a round is the second of the one before, so that none always runs after the same other.
    """
    names = list(contestants)
    figures: Figures = {name: [] for name in names}
    for turn in range(-warmups, rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            rest()
            figure = contestants[name]()
            if turn >= 0:
                figures[name].append(figure)
    return figures


def compare(figures: Figures, compared: Compared, goal: Goal) -> Comparison:
    """Compare the first contestant with the best of the others: the largest median where more is better."""
    ours, *peers = figures
    choose = max if goal == "at least" else min
    peer = choose(peers, key=lambda name: median(figures[name])) if peers else ""
    theirs = figures[peer] if peer else [0.0] * len(figures[ours])
    pairs = list(zip(figures[ours], theirs, strict=True))
    values = {
        "ratio": lambda: [mine / other for mine, other in pairs],
        "difference": lambda: [mine - other for mine, other in pairs],
        "value": lambda: [mine for mine, _ in pairs],
    }[compared]()
    return Comparison(peer, median(figures[ours]), median(theirs), tuple(values))


def is_reached(comparison: Comparison, goal: Goal, target: float) -> bool:
    """Tell whether the median reaches the target."""
    return comparison.middle >= target if goal == "at least" else comparison.middle <= target


def time_work(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how many seconds some work takes."""
    start = clock()
    work()
    return clock() - start


def measure_rate(
    work: Callable[[], object], amount: float, clock: Callable[[], float] = time.perf_counter
) -> Measure:
    """Make a measure of how much of an amount some work gets done in a second."""
    return lambda: amount / time_work(work, clock)


def find_percentile(values: list[float], percent: float) -> float:
    """Return the least value that so many percent of all do not exceed."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
