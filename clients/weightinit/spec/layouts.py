"""Layouts: one letter for each axis of a kernel, as in the service."""

import math
from collections.abc import Iterable
from fractions import Fraction

from weightinit.spec.fields import LayerFields
from weightinit.spec.layer import refuse

SPATIAL = "DHW"

Axes = int | Iterable[int]

# The service's names for the layouts of a framework's kernels, by rank.
SHORTHANDS = {
    "keras": ("O", "IO", "WIO", "HWIO", "DHWIO"),
    "torch": ("O", "OI", "OIW", "OIHW", "OIDHW"),
}


def spell_layout(rank: int, inputs: Axes, outputs: Axes, stacked: Axes = ()) -> str:
    """Return a layout: I for inputs, O for outputs, B for stacked kernels, D, H, W for the other axes.

    Axes may be negative. Raises SpecRejected for an axis that does not exist or has two letters.

    >>> spell_layout(4, -2, -1), spell_layout(3, [0], [1, 2]), spell_layout(3, -2, -1, stacked=0)
    ('HWIO', 'IOO', 'BIO')
    """
    letters: dict[int, str] = {}
    for letter, axes in (("I", inputs), ("O", outputs), ("B", stacked)):
        for axis in [axes] if isinstance(axes, int) else axes:
            if not -rank <= axis < rank or letters.setdefault(axis % rank, letter) != letter:
                known = f"a kernel of {rank} axes, of which {_describe(letters)}"
                raise refuse("axis", f"for {letter} must be a free one of {known}", axis)
    field = rank - len(letters)
    # Beyond three, spatial axes share a letter: canonical order does not change their order.
    spatial = iter(SPATIAL[-field:] if field <= len(SPATIAL) else "W" * field)
    return "".join(letters[axis] if axis in letters else next(spatial) for axis in range(rank))


def has_layout(rank: int, inputs: Axes, outputs: Axes, stacked: Axes = ()) -> bool:
    """Return whether the roles of axes make a layout that fans follow from.

    They do not if an axis has two roles, or if no axis is an input or an output. Raises SpecRejected for an
    axis that does not exist.

    >>> has_layout(2, -2, -1), has_layout(2, 0, 0), has_layout(2, [], 1), has_layout(2, [], 1, stacked=0)
    (True, False, False, True)
    """
    roles = [list_axes(rank, axes) for axes in (inputs, outputs, stacked)]
    given = [axis for axes in roles for axis in axes]
    has_channels = any(roles[:2]) if roles[2] else all(roles[:2])
    return len(given) == len(set(given)) and has_channels


def set_fans(rank: int, fan_in: Fraction, fan_out: Fraction) -> LayerFields:
    """Return the fields of a kernel without a layout of its own: the order (…, in, out), and its fans.

    Raises SpecRejected for a fan that is not whole.

    >>> set_fans(2, Fraction(4), Fraction(4))
    {'layout': 'IO', 'fan_in': 4, 'fan_out': 4}
    """
    for name, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
        if fan.denominator != 1:
            raise refuse(name, "must be whole: these axes share too many elements", str(fan))
    layout = spell_layout(rank, -2, -1) if rank > 1 else "O"
    return {"layout": layout, "fan_in": int(fan_in), "fan_out": int(fan_out)}


def count_elements(shape: tuple[int, ...], axes: Axes) -> int:
    """Return the product of the lengths of some axes.

    >>> count_elements((2, 3, 5), [0, -1]), count_elements((2, 3, 5), [])
    (10, 1)
    """
    return math.prod(shape[axis] for axis in list_axes(len(shape), axes))


def list_axes(rank: int, axes: Axes) -> list[int]:
    """Return axes as a list of numbers from 0. Raises SpecRejected for an axis that does not exist."""
    listed = [axes] if isinstance(axes, int) else list(axes)
    for axis in listed:
        if not -rank <= axis < rank:
            raise refuse("axis", f"must be one of a kernel of {rank} axes", axis)
    return [axis % rank for axis in listed]


def write_out(layout: str, rank: int) -> str:
    """Return a layout with one letter per axis; names are expanded if they have one for this rank.

    >>> write_out("keras", 4), write_out("IOO", 3)
    ('HWIO', 'IOO')
    """
    orders = SHORTHANDS.get(layout, ())
    return orders[rank - 1] if 0 < rank <= len(orders) else layout


def _describe(letters: dict[int, str]) -> str:
    return ", ".join(f"{axis} is {letter}" for axis, letter in sorted(letters.items())) or "none is used"
