"""Checks: measure a model's signals and gradients layer by layer, and flag problems.

In a network of independent weights each layer multiplies the variance of the signal on its way forward, and
that of the gradient on its way back, by a factor (Glorot & Bengio 2010, equations 5 and 6; He et al. 2015,
equations 9 and 13). A repeated factor other than one makes them vanish or explode.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from weightinit.adapters.signal_report import Flag, SignalReport, SignalRow

# Chance alone moves the logarithm of the mean square by sqrt(5 depth / width) in a network of ReLU under He's
# scheme (Hanin & Nica 2018, Products of Many Large Random Matrices): a factor of 100 is three such deviations
# where the depth is half the width.
FACTOR = 100
# With symmetric weights half of the outputs of a ReLU are zero, at worst the same for every sample.
DEAD = 0.9
# At 0.99 the derivative of tanh is a fiftieth of its maximum.
NEAR, SATURATED = 0.99, 0.5
# The bounds of saturating activations, by the service's name.
BOUNDS = {
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softsign": (-1.0, 1.0),
    "tanh": (-1.0, 1.0),
}
# A layer has a kernel. Norms have no row, since the signal restarts after them; nor do inputs and outputs.
Role = Literal["input", "layer", "lookup", "activation", "norm", "output"]
ROWS = ("layer", "lookup", "activation")


@dataclass(frozen=True, slots=True)
class Moments:
    """The mean and variance of some numbers, and the mean and sum of their squares."""

    mean: float
    variance: float
    square: float
    total: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Self:
        """Measure values in float64; they may be infinite."""
        with np.errstate(all="ignore"):
            real = widen(values)
            square = float(np.mean(np.square(real))) if real.size else 0.0
            mean, variance = (float(real.mean()), float(real.var())) if real.size else (0.0, 0.0)
        return cls(mean, variance, square, square * real.size)

    @property
    def finite(self) -> bool:
        """Whether all values are finite."""
        return math.isfinite(self.total)


@dataclass(eq=False, slots=True)
class Signal:
    """The measurements of one call of a layer, an activation or a norm.

    `received` is the mean square of a layer's inputs, `sources` are the layers that produced them. `dead`
    is the fraction of outputs that are zero for every sample, `saturated` that near the bounds. `gradient`
    is set later.
    """

    name: str
    kind: str
    role: Role
    shape: tuple[int, ...]
    outputs: Moments
    received: float | None = None
    sources: list["Signal"] = field(default_factory=list)
    dead: float = 0.0
    saturated: float = 0.0
    gradient: Moments | None = None

    @classmethod
    def of(
        cls, name: str, kind: str, role: Role, values: NDArray[Any], received: NDArray[Any] | None = None
    ) -> Self:
        """Measure the outputs of a call; their first axis is samples."""
        asked = None if received is None else Moments.of(received).square
        signal = cls(name, kind, role, values.shape, Moments.of(values), asked)
        if role == "activation" and values.size:
            silent = values == 0
            signal.dead = float(np.mean(silent.all(axis=0) if values.ndim > 1 else silent))
            low, high = BOUNDS.get(kind, (-math.inf, math.inf))
            margin = (1 - NEAR) * (high - low) / 2
            signal.saturated = float(np.mean((values < low + margin) | (values > high - margin)))
        return signal


@dataclass(slots=True)
class Level:
    """A layer's signal and gradient, relative to where they start: 1 is unchanged.

    `begun` is the mean square where the signal starts. `least` and `most` bound the gradient's level
    before and after a following norm, which divides by the scale of its input; `normed` is the level of
    the norm's output.
    """

    begun: float | None
    signal: float | None
    least: float | None
    most: float | None
    normed: tuple[float | None, ...] = ()


def build_report(signals: Iterable[Signal]) -> SignalReport:
    """Return the report of the signals of calls, given in order."""
    measured = list(signals)
    levels = find_levels(measured)
    vanishing = find_lost(levels, lambda level: level.most, is_small)
    exploding = find_lost(levels, lambda level: level.least, is_large)
    before: dict[Role, float] = {}
    rows = []
    for signal in measured:
        if signal.role not in ROWS:
            continue
        ratio = divide(signal.outputs.variance, before.get(signal.role))
        before[signal.role] = signal.outputs.variance
        flags: list[Flag] = ["vanishes"] if signal in vanishing else []
        flags += ["explodes"] if signal in exploding else []
        rows.append(
            SignalRow(
                signal.name,
                signal.kind,
                signal.shape,
                signal.outputs.mean,
                signal.outputs.variance,
                ratio,
                signal.gradient.variance if signal.gradient else None,
                (*flags, *find_flags(signal)),
                signal.role != "activation",
            )
        )
    return SignalReport(tuple(rows))


def find_levels(signals: Sequence[Signal]) -> dict[Signal, Level]:
    """Return the levels of layers and lookups.

    A signal starts at the last norm or else at the first layer, a gradient at the last layers. Only
    outputs of the same rank are compared, since pooling and flattening change the scale.
    """
    ends = find_ends(signals)
    begun: dict[int, float] = {}
    levels = {}
    for place, signal in enumerate(signals):
        rank = len(signal.shape)
        if signal.role == "norm":
            begun = {rank: signal.outputs.square}
        if signal.role in {"norm", "activation"}:
            continue
        if signal.role == "layer" and signal.received is not None:
            begun.setdefault(rank, signal.received)
        start = begun.get(rank) if signal.role == "layer" else None
        following = signals[place + 1 : place + 2]
        norms = [one for one in following if one.role == "norm" and one.shape == signal.shape]
        totals = [one.gradient.total for one in (signal, *norms) if one.gradient]
        back = [value for total in totals if (value := divide(total, ends.get(rank))) is not None]
        levels[signal] = Level(
            start,
            divide(signal.outputs.variance, start),
            min(back, default=None),
            max(back, default=None),
            tuple(divide(one.outputs.square, start) for one in norms),
        )
    return levels


def find_ends(signals: Sequence[Signal]) -> dict[int, float]:
    """Return the largest total gradient by rank, of layers with no consumer or one of another rank."""
    ends: dict[int, float] = {}
    for signal in signals:
        rank = len(signal.shape)
        after = [len(one.shape) for one in signals if signal in one.sources and one.role == "layer"]
        is_end = not after or any(other != rank for other in after)
        if signal.role == "layer" and signal.gradient and is_end:
            ends[rank] = max(signal.gradient.total, ends.get(rank, 0.0))
    return ends


def find_lost(
    levels: dict[Signal, Level],
    choose: Callable[[Level], float | None],
    is_odd: Callable[[float | None], bool],
) -> set[Signal]:
    """Return the layers whose signal or gradient is out of range and does not recover.

    A branch may be small if others are added to it: its consumers receive enough, and gradients reach its
    predecessors on another path.
    """
    found: set[Signal] = set()
    excused: set[Signal] = set()
    for signal, level in levels.items():
        users = [one for one in levels if signal in one.sources]
        after = [divide(one.received or 0.0, level.begun) for one in users]
        if is_odd(level.signal) and all(map(is_odd, [*after, *level.normed])):
            found.add(signal)
        if not is_odd(choose(level)):
            continue
        for source in signal.sources:
            back = choose(levels[source])
            is_shared = any(source in one.sources for one in levels if one is not signal)
            if source in excused or (is_shared and back is not None and not is_odd(back)):
                excused.add(signal)
        if signal not in excused:
            found.add(signal)
    return {signal for signal in found if signal.role == "layer"}


def is_small(level: float | None) -> bool:
    """Return whether a level is very small but not zero, which has its own flag."""
    return level is not None and 0 < level < 1 / FACTOR


def is_large(level: float | None) -> bool:
    """Return whether a level is very large."""
    return level is not None and level > FACTOR


def find_flags(signal: Signal) -> Iterator[Flag]:
    """Yield the flags of a signal that do not depend on others."""
    if signal.dead > DEAD:
        yield "dead"
    if signal.saturated > SATURATED:
        yield "saturated"
    if signal.role == "layer" and signal.outputs.total == 0:
        yield "zero"
    if not signal.outputs.finite or (signal.gradient and not signal.gradient.finite):
        yield "not finite"
    if signal.gradient is None or signal.gradient.total == 0:
        yield "no gradient"


def divide(value: float, by: float | None) -> float | None:
    """Divide; None if the divisor is None or zero."""
    return value / by if by else None


def widen(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return numbers as float64; complex ones as their real and imaginary parts."""
    if np.iscomplexobj(values):
        return np.stack([values.real, values.imag]).astype(np.float64)
    return values.astype(np.float64)


def make_projections(shapes: Iterable[Sequence[int]]) -> list[NDArray[np.float64]]:
    """Draw the weights of a random projection of outputs: N(0, 1), the same in each check."""
    generator = np.random.default_rng(0)
    return [generator.standard_normal(tuple(shape)) for shape in shapes]


def number_calls(signals: Iterable[Signal]) -> None:
    """Number the calls of layers that are called more than once: `cell`, `cell (2)`."""
    counts: dict[str, int] = {}
    for signal in signals:
        if signal.role not in ROWS:
            continue
        count = counts[signal.name] = counts.get(signal.name, 0) + 1
        if count > 1:
            signal.name = f"{signal.name} ({count})"
