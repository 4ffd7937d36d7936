"""Layouts: one letter for each axis of a kernel, as in the service."""

from collections.abc import Iterable

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


def write_out(layout: str, rank: int) -> str:
    """Return a layout with one letter per axis; names are expanded if they have one for this rank.

    >>> write_out("keras", 4), write_out("IOO", 3)
    ('HWIO', 'IOO')
    """
    orders = SHORTHANDS.get(layout, ())
    return orders[rank - 1] if 0 < rank <= len(orders) else layout


def _describe(letters: dict[int, str]) -> str:
    return ", ".join(f"{axis} is {letter}" for axis, letter in sorted(letters.items())) or "none is used"
