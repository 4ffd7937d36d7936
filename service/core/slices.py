"""Slices: parse and format text such as `0:128,:`, which selects a part of a tensor as in NumPy."""

import re

from service.core.errors import FieldError, SpecError

SLICE = re.compile(r"([0-9]*):([0-9]*)", re.ASCII)
MAX_INDEX_DIGITS = 20  # more than any axis has
RULE = "must be start:stop, where both numbers are optional"

#: A half-open slice of step 1 for each axis.
Slices = tuple[slice, ...]


def parse_slices(text: str, shape: tuple[int, ...]) -> Slices:
    """Parse slices separated by commas to one half-open slice for each axis.

    Missing axes at the end are whole, as in NumPy. Steps, negative indices and single integers, which would
    drop an axis, are errors. Unlike in NumPy, so are slices that are empty or exceed the axis. Raises
    SpecError.

    >>> parse_slices("0:128,:", (784, 300))
    (slice(0, 128, None), slice(0, 300, None))
    """
    texts = text.split(",")
    if len(texts) > len(shape):
        rule = f"must have at most one slice for each axis of shape, {len(shape)}"
        raise SpecError([FieldError.of("slice", rule, text)])
    errors: list[FieldError] = []
    slices = []
    for axis, (part, length) in enumerate(zip(texts, shape, strict=False)):
        start, stop, rule = _parse_bounds(part, length)
        slices.append(slice(start, stop))
        if rule:
            errors.append(FieldError.of(f"slice[{axis}]", rule, part))
    if errors:
        raise SpecError(errors)
    return (*slices, *select_all(shape[len(texts) :]))


def format_slices(slices: Slices, shape: tuple[int, ...]) -> str:
    """Format slices as the shortest text that parses to them: an empty text for a whole tensor.

    >>> format_slices((slice(0, 128), slice(0, 300)), (784, 300))
    '0:128'
    >>> format_slices((slice(0, 784), slice(7, 9)), (784, 300))
    ':,7:9'
    """
    texts = [
        ":" if (axis.start, axis.stop) == (0, length) else f"{axis.start}:{axis.stop}"
        for axis, length in zip(slices, shape, strict=True)
    ]
    while texts and texts[-1] == ":":
        texts.pop()
    return ",".join(texts)


def select_all(shape: tuple[int, ...]) -> Slices:
    """Return the slices of a whole tensor.

    >>> select_all((784, 300))
    (slice(0, 784, None), slice(0, 300, None))
    """
    return tuple(slice(0, length) for length in shape)


def compute_shape(slices: Slices) -> tuple[int, ...]:
    """Return the shape that slices select.

    >>> compute_shape((slice(0, 128), slice(7, 9)))
    (128, 2)
    """
    return tuple(axis.stop - axis.start for axis in slices)


def _parse_bounds(text: str, length: int) -> tuple[int, int, str]:
    """Return start, stop, and the rule that the slice breaks, or an empty text."""
    found = SLICE.fullmatch(text)
    if not found:
        hint = f": write {text}:{int(text) + 1} to keep the axis" if _is_index(text) else ""
        return 0, length, RULE + hint
    start, stop = (digits.lstrip("0") or digits[:1] for digits in found.groups())
    if max(len(start), len(stop)) > MAX_INDEX_DIGITS:
        return 0, length, f"must stay within the axis, 0:{length}"
    first, last = int(start or 0), int(stop) if stop else length
    if last > length or first > length:
        return 0, length, f"must stay within the axis, 0:{length}"
    if first >= last:
        return 0, length, "must not be empty: start must be less than stop"
    return first, last, ""


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MAX_INDEX_DIGITS
