"""Boxes: the part of a tensor that a text such as `0:128,:` cuts out, as NumPy would."""

import re

from service.core.errors import FieldError, SpecError

CUT = re.compile(r"([0-9]*):([0-9]*)", re.ASCII)
MAX_INDEX_DIGITS = 20  # digits: more than any axis has
FORM = "must be start:stop, either of which may be left out"

Slices = tuple[slice, ...]


def parse_slices(text: str, shape: tuple[int, ...]) -> Slices:
    """Parse cuts separated by commas to one half-open slice for each axis.

    Axes at the end may be left out, as in NumPy, and are taken whole. There are no steps and no negative
    indices, and no bare integers, which would drop an axis. Unlike NumPy's, a cut that leaves the tensor or
    is empty is an error. Raises SpecError.

    >>> parse_slices("0:128,:", (784, 300))
    (slice(0, 128, None), slice(0, 300, None))
    """
    cuts = text.split(",")
    if len(cuts) > len(shape):
        rule = f"must have at most one cut for each axis of shape, {len(shape)}"
        raise SpecError([FieldError.of("slice", rule, text)])
    errors: list[FieldError] = []
    slices = []
    for axis, (cut, length) in enumerate(zip(cuts, shape, strict=False)):
        start, stop, rule = _parse_cut(cut, length)
        slices.append(slice(start, stop))
        if rule:
            errors.append(FieldError.of(f"slice[{axis}]", rule, cut))
    if errors:
        raise SpecError(errors)
    return (*slices, *(slice(0, length) for length in shape[len(cuts) :]))


def format_slices(slices: Slices, shape: tuple[int, ...]) -> str:
    """Write a box as the shortest text that parses to it; a whole tensor is an empty text.

    >>> format_slices((slice(0, 128), slice(0, 300)), (784, 300))
    '0:128'
    >>> format_slices((slice(0, 784), slice(7, 9)), (784, 300))
    ':,7:9'
    """
    cuts = [
        ":" if (cut.start, cut.stop) == (0, length) else f"{cut.start}:{cut.stop}"
        for cut, length in zip(slices, shape, strict=True)
    ]
    while cuts and cuts[-1] == ":":
        cuts.pop()
    return ",".join(cuts)


def _parse_cut(cut: str, length: int) -> tuple[int, int, str]:
    """Return start, stop and, where the cut breaks one, the rule."""
    found = CUT.fullmatch(cut)
    if not found:
        hint = f": write {cut}:{int(cut) + 1} to keep the axis" if _is_index(cut) else ""
        return 0, length, FORM + hint
    start, stop = (text.lstrip("0") or text[:1] for text in found.groups())
    if max(len(start), len(stop)) > MAX_INDEX_DIGITS:
        return 0, length, f"must stay within the axis, 0:{length}"
    first, last = int(start or 0), int(stop) if stop else length
    if last > length or first > length:
        return 0, length, f"must stay within the axis, 0:{length}"
    if first >= last:
        return 0, length, "must not be empty: start must be less than stop"
    return first, last, ""


def _is_index(cut: str) -> bool:
    return cut.isascii() and cut.isdecimal() and len(cut) <= MAX_INDEX_DIGITS
