"""Layouts: the meaning of each axis of a tensor.

A layout has one letter for each axis: I for input channels, O for output channels, D, H, W for space, B or G
for stacked independent kernels. Letters may repeat: "IOO" is an attention kernel (embedding, heads, head
size).
"""

from service.core.errors import make_spec_error
from service.core.schemes import Extents

LETTERS = "IODHWBG"
STACKED = "BG"
SPATIAL = "DHW"


# The order of kernel axes in each framework, by rank. A bias has one value for each output.
SHORTHANDS: dict[str, tuple[str, ...]] = {
    "keras": ("O", "IO", "WIO", "HWIO", "DHWIO"),
    "torch": ("O", "OI", "OIW", "OIHW", "OIDHW"),
}


def resolve_layout(layout: str, rank: int) -> str:
    """Resolve a layout to one letter for each axis. Raises SpecError if it does not fit the rank.

    >>> resolve_layout("keras", 4), resolve_layout("torch", 4), resolve_layout("IOO", 3)
    ('HWIO', 'OIHW', 'IOO')
    """
    shorthand = SHORTHANDS.get(layout)
    if shorthand is not None:
        if rank > len(shorthand):
            known = f"ranks 1 to {len(shorthand)}"
            rule = f"supports {known} only, and shape has {rank} axes: write one letter for each axis"
            raise make_spec_error("layout", rule, layout)
        return shorthand[rank - 1]
    if layout.strip(LETTERS):
        raise make_spec_error("layout", _state_letters(), layout, _suggest_layouts(layout))
    if len(layout) != rank:
        raise make_spec_error("layout", f"must have as many letters as shape has axes, {rank}", layout)
    return layout


def has_kernel_axes(letters: str) -> bool:
    """Return whether a layout has the axes to derive fans from.

    In a stack of independent kernels, I or O may be missing and counts as one channel. So "HWGO" is a
    depthwise kernel of Keras.

    >>> has_kernel_axes("HWIO"), has_kernel_axes("HWGO"), has_kernel_axes("O")
    (True, True, False)
    """
    stacked = len(letters) > 1 and any(letter in STACKED for letter in letters)
    return ("I" in letters or "O" in letters) if stacked else ("I" in letters and "O" in letters)


def check_kernel_axes(letters: str, shape: tuple[int, ...]) -> None:
    """Check that a layout has the axes to derive fans from. Raises SpecError."""
    if has_kernel_axes(letters):
        return
    if len(letters) == 1:
        raise make_spec_error("shape", "of rank 1 has no fans: set both fan_in and fan_out", shape)
    rule = "must have an I axis and an O axis, unless both fan_in and fan_out are set"
    raise make_spec_error("layout", rule, letters)


def measure_kernel(letters: str, shape: tuple[int, ...]) -> Extents:
    """Return the exact products of the I axes, the O axes, and the D, H and W axes of one kernel.

    >>> measure_kernel("HWIO", (3, 5, 32, 64))
    Extents(inputs=32, outputs=64, field=15, groups=1)
    """
    inputs = outputs = field = 1
    for letter, length in zip(letters, shape, strict=True):
        if letter == "I":
            inputs *= length
        elif letter == "O":
            outputs *= length
        elif letter not in STACKED:
            field *= length
    return Extents(inputs, outputs, field)


def _state_letters() -> str:
    names = " or ".join(SHORTHANDS)
    return f"must be {names}, or one letter of {' '.join(LETTERS)} for each axis"


def _suggest_layouts(layout: str) -> tuple[str, ...]:
    for candidate in (layout.upper(), layout.lower()):
        if candidate in SHORTHANDS or (candidate and not candidate.strip(LETTERS)):
            return (candidate,)
    return ()
