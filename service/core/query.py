"""Queries: a layer spec written as the parameters of a URL.

Integers are ASCII digits, numbers are decimal, lists are separated by commas. Text that is not so is
passed on as it came, for the spec's own rules to refuse with the text that was received.
"""

import math
import re
from collections.abc import Callable, Iterable

from service.core.errors import FieldError

# Python turns at most 4300 digits to an integer; longer text is refused as it is.
INTEGER = re.compile(r"-?[0-9]{1,4000}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,4})?", re.ASCII)


def parse_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, object], list[FieldError]]:
    """Parse the parameters of a query to JSON-like values, with an error for each that is repeated.

    >>> parse_pairs([("shape", "784,300"), ("scale", "2"), ("activation", "relu")])
    ({'shape': [784, 300], 'scale': 2.0, 'activation': 'relu'}, [])
    """
    values: dict[str, object] = {}
    repeated: list[FieldError] = []
    for name, text in pairs:
        if name in values:
            repeated.append(FieldError.of(name, "must be given once", text))
        else:
            values[name] = PARSERS[name](text) if name in PARSERS else text
    return values, repeated


def parse_integer(text: str) -> int | str:
    """Parse ASCII digits with an optional minus; other text is returned as it is.

    >>> parse_integer("42"), parse_integer("+42"), parse_integer("4_2"), parse_integer("٤٢")
    (42, '+42', '4_2', '٤٢')
    """
    return int(text) if INTEGER.fullmatch(text) else text


def parse_number(text: str) -> float | str:
    """Parse a finite decimal number; other text is returned as it is.

    >>> parse_number("0.5"), parse_number("1e-3"), parse_number("nan"), parse_number("1e999")
    (0.5, 0.001, 'nan', '1e999')
    """
    if not DECIMAL.fullmatch(text):
        return text
    number = float(text)
    return number if math.isfinite(number) else text


def parse_integers(text: str) -> list[int | str]:
    """Parse integers separated by commas.

    >>> parse_integers("3,3,64,128"), parse_integers("3,x"), parse_integers("")
    ([3, 3, 64, 128], [3, 'x'], [])
    """
    return [parse_integer(item) for item in text.split(",")] if text else []


PARSERS: dict[str, Callable[[str], object]] = {
    "shape": parse_integers,
    "groups": parse_integer,
    "fan_in": parse_integer,
    "fan_out": parse_integer,
    "scale": parse_number,
    "negative_slope": parse_number,
    "seed": parse_integer,
    "limit": parse_integer,
}
