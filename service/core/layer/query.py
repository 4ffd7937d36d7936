"""Queries: parse the text of a layer spec's fields in a URL to JSON-like values."""

import math
import re
from collections.abc import Callable, Iterable, Mapping

from service.core.errors import FieldError

# Python converts at most 4300 digits to an integer; longer text stays text and fails validation.
INTEGER = re.compile(r"-?[0-9]{1,4000}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,4})?", re.ASCII)


TextParser = Callable[[str], object]


def parse_pairs(
    pairs: Iterable[tuple[str, str]], parsers: Mapping[str, TextParser]
) -> tuple[dict[str, object], list[FieldError]]:
    """Parse the parameters of a query to JSON-like values, and return an error for each repeated one.

    Parameters without a parser stay text. A repeated list is one list, because many generated clients repeat
    the parameter for each item, as OpenAPI's `explode` does.

    >>> parse_pairs([("shape", "784,300"), ("scale", "2"), ("activation", "relu")], PARSERS)
    ({'shape': [784, 300], 'scale': 2.0, 'activation': 'relu'}, [])
    """
    texts: dict[str, str] = {}
    repeated: list[FieldError] = []
    for name, text in pairs:
        if name not in texts:
            texts[name] = text
        elif parsers.get(name) in LISTS:
            texts[name] += f",{text}"
        else:
            repeated.append(FieldError.of(name, "must be given once", text))
    return {name: parsers[name](text) if name in parsers else text for name, text in texts.items()}, repeated


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


def parse_numbers(text: str) -> list[float | str]:
    """Parse numbers separated by commas.

    >>> parse_numbers("0.1,0.3")
    [0.1, 0.3]
    """
    return [parse_number(item) for item in text.split(",")] if text else []


def parse_flag(text: str) -> bool | str:
    """Parse true or false; other text is returned as it is.

    >>> parse_flag("true"), parse_flag("True"), parse_flag("1")
    (True, 'True', '1')
    """
    return {"true": True, "false": False}.get(text, text)


#: Parsers of lists.
LISTS: tuple[TextParser, ...] = (parse_integers, parse_numbers)

PARSERS: dict[str, TextParser] = {
    "shape": parse_integers,
    "groups": parse_integer,
    "fan_in": parse_integer,
    "fan_out": parse_integer,
    "transposed": parse_flag,
    "stride": parse_integers,
    "scale": parse_number,
    "negative_slope": parse_number,
    "gain": parse_number,
    "activation_parameter": parse_numbers,
    "stddev": parse_number,
    "parent_stddev": parse_number,
    "limit": parse_number,
    "lower": parse_number,
    "upper": parse_number,
    "low": parse_number,
    "high": parse_number,
    "mean": parse_number,
    "sparsity": parse_number,
    "constant": parse_number,
    "seed": parse_integer,
}
