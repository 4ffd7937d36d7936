"""Turning: a published kernel in another order of axes, with the same bits.

Where a draw lies follows what the axes mean, not where they are in memory (docs/stream.md, section 2). So two
kernels are one, turned, where they have as many outputs and inputs and the same field.
"""

from collections.abc import Sequence
from dataclasses import replace

from weightinit.parameters import Parameters
from weightinit.spec import Spec

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
