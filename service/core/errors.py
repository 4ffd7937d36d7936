"""Errors of specs, one for each field and rule."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from json import dumps
from typing import Self

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from service.core.spelling import find_nearest_names

MAX_TEXT_LENGTH = 80
MAX_ITEMS = 8
MAX_DIGITS = 40
MAX_DEPTH = 2


class _Missing:
    """The type of MISSING, the value of a field that was not received."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class FieldError:
    """A field that breaks a rule. All attributes are short text that is safe to print and to send.

    `received` is JSON-like: `3`, `"3"`, `true`, `NaN`; or `nothing` if the field was not received.
    """

    field: str
    rule: str
    received: str
    message: str
    suggestions: tuple[str, ...] = ()

    @classmethod
    def of(cls, field: str, rule: str, value: object, suggestions: tuple[str, ...] = ()) -> Self:
        """Make the error of a broken rule, with a message made from all arguments.

        >>> FieldError.of("groups", "must divide 64, the product of the O axes", 5).message
        'groups must divide 64, the product of the O axes; received 5'
        """
        received = describe_value(value)
        message = f"{field} {rule}; received {received}"
        if suggestions:
            message += f". Did you mean {' or '.join(suggestions)}?"
        return cls(field, rule, received, message, suggestions)

    def within(self, place: str) -> Self:
        """Return the error with a path prepended to the field.

        >>> FieldError.of("groups", "must be at least 1", 0).within('tensors["conv1"]').message
        'tensors["conv1"].groups must be at least 1; received 0'
        """
        field, message = f"{place}.{self.field}", f"{place}.{self.message}"
        return replace(self, field=field, message=message)


class SpecError(Exception):
    """The spec of a layer or a model is invalid. `errors` has an entry for each broken rule."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__(self.errors)

    def within(self, place: str) -> Self:
        """Return the error with a path prepended to each field."""
        return type(self)(error.within(place) for error in self.errors)

    def __str__(self) -> str:
        return "; ".join(error.message for error in self.errors)


def make_spec_error(field: str, rule: str, value: object, suggestions: tuple[str, ...] = ()) -> SpecError:
    """Make the error for a spec that breaks one rule.

    >>> print(make_spec_error("scale", "must be greater than 0", -1.0))
    scale must be greater than 0; received -1.0
    """
    return SpecError([FieldError.of(field, rule, value, suggestions)])


def describe_value(value: object, level: int = 0) -> str:
    r"""Describe any value in short, printable, JSON-like text that is valid UTF-8.

    >>> describe_value(float("nan")), describe_value(True), describe_value("\ud800"), describe_value([1, "a"])
    ('NaN', 'true', '"\\ud800"', '[1, "a"]')
    """
    if isinstance(value, str):
        return describe_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _describe_integer(value)
    if value is None or isinstance(value, (bool, float)):
        return dumps(value)
    if isinstance(value, (list, tuple)):
        return _describe_items(
            (describe_value(item, level + 1) for item in value[:MAX_ITEMS]), len(value), level
        )
    if isinstance(value, Mapping):
        return "an object"
    return "nothing" if value is MISSING else f"a value of type {type(value).__name__}"


def describe_text(text: str) -> str:
    """Quote text, truncated to MAX_TEXT_LENGTH, with lone surrogates and control characters escaped."""
    short = text if len(text) <= MAX_TEXT_LENGTH else text[:MAX_TEXT_LENGTH] + "…"
    return dumps(short, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _describe_integer(value: int) -> str:
    # Python refuses to print integers with thousands of digits, so count the bits first.
    digits = math.ceil(value.bit_length() * math.log10(2))
    return f"an integer of about {digits} digits" if digits > MAX_DIGITS else str(value)


def _describe_items(items: Iterable[str], count: int, level: int) -> str:
    if level >= MAX_DEPTH:
        return "[…]"
    more = ", …" if count > MAX_ITEMS else ""
    return f"[{', '.join(items)}{more}]"


# A hostile body may break a rule a million times. Only the first few errors are described.
MAX_ERRORS = 16

INTEGER = "must be an integer"
NUMBER = "must be a finite number"
TEXT = "must be text"
UNICODE = "must be valid Unicode, without lone surrogates"

# pydantic error type → the rule, with the names of pydantic's context in braces.
RULES: dict[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a field of a {what}",
    "invalid_key": "is not a field of a {what}",
    "int_type": INTEGER,
    "int_from_float": INTEGER,
    "int_parsing": INTEGER,
    "int_parsing_size": INTEGER,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": NUMBER,
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le}",
    "string_type": TEXT,
    "string_unicode": UNICODE,
    "literal_error": "must be one of {expected}",
    "tuple_type": "must be a list of integers",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "too_short": "must have at least {min_length} axis",
    "model_type": "must be an object",
}


#: What frameworks call a field of a spec.
SYNONYMS = {
    "a": "low",
    "alpha": "activation_parameter",
    "b": "high",
    "maxval": "high",
    "minval": "low",
    "sigma": "stddev",
    "slope": "negative_slope",
    "std": "stddev",
    "strides": "stride",
    "value": "constant",
}


def make_rule_error(rule: str, suggestions: tuple[str, ...] = ()) -> PydanticCustomError:
    """Make the error that a pydantic validator raises for a broken rule."""
    return PydanticCustomError("domain_rule", "{rule}", {"rule": rule, "suggestions": suggestions})


def translate_validation_errors(
    error: ValidationError, fields: Mapping[str, object], what: str = "layer spec"
) -> tuple[FieldError, ...]:
    """Translate the first MAX_ERRORS of pydantic's errors to field errors.

    `fields` has the field names of the model, for suggestions. `what` names the model in messages.
    """
    details = error.errors(include_url=False)[:MAX_ERRORS]
    return tuple(_translate(detail, fields, what) for detail in details if not _is_echo(detail))


def _is_echo(detail: ErrorDetails) -> bool:
    """Return whether a list is too short only because its invalid items were dropped."""
    return detail["type"] == "too_short" and detail["ctx"]["actual_length"] < len(detail["input"])


def _translate(detail: ErrorDetails, fields: Mapping[str, object], what: str) -> FieldError:
    field = format_location(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    value: object = MISSING if kind == "missing" else detail["input"]
    if kind == "domain_rule":
        return FieldError.of(field, context["rule"], value, context["suggestions"])
    rule = RULES.get(kind, "is not valid").format(**context, what=what)
    if kind == "too_short" and field != "shape":
        rule = f"must have at least {context['min_length']} number"
    return FieldError.of(field, rule, value, _suggest(kind, detail, context, fields))


def _suggest(
    kind: str, detail: ErrorDetails, context: Mapping[str, object], fields: Mapping[str, object]
) -> tuple[str, ...]:
    if kind == "extra_forbidden":
        if (known := SYNONYMS.get(str(detail["loc"][-1]).lower(), "")) in fields:
            return (known,)
        return find_nearest_names(detail["loc"][-1], fields)
    if kind == "literal_error":
        expected = str(context["expected"]).replace(" or ", ", ").replace("'", "")
        return find_nearest_names(detail["input"], expected.split(", "))
    return ()


def format_location(location: tuple[int | str, ...]) -> str:
    """Format the location of a value: a field or an item of a field.

    >>> format_location(("shape", 1)), format_location(("seed",)), format_location(())
    ('shape[1]', 'seed', 'spec')
    """
    if not location:
        return "spec"
    first, *rest = location
    name = str(first)
    known = (
        name
        if name.isidentifier() and name.isascii() and len(name) <= MAX_TEXT_LENGTH
        else describe_text(name)
    )
    return known + "".join(f"[{item}]" for item in rest if isinstance(item, int))


def name_tensor(number: int, fields: Mapping[str, object]) -> str:
    """Format the path of a tensor in an error, with its name, or its index if it has no name.

    >>> name_tensor(3, {"name": "fc1"}), name_tensor(3, {})
    ('tensors["fc1"]', 'tensors[3]')
    """
    name = fields.get("name")
    return f"tensors[{describe_text(name) if isinstance(name, str) and name else number}]"
