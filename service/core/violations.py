"""Violations: what pydantic found, said in the words of the domain."""

from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from service.core.errors import LONGEST_TEXT, MISSING, FieldError, describe_text
from service.core.names import find_nearest_names

# A hostile body may break a rule a million times; a reader needs the first few.
MOST_ERRORS = 16

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


def break_rule(rule: str, suggestions: tuple[str, ...] = ()) -> PydanticCustomError:
    """Make the error that a validator of ours raises inside pydantic."""
    return PydanticCustomError("domain_rule", "{rule}", {"rule": rule, "suggestions": suggestions})


def translate_violations(
    error: ValidationError, fields: Mapping[str, object], what: str = "layer spec"
) -> tuple[FieldError, ...]:
    """Translate pydantic's findings to field errors, the first few of them.

    `fields` has the names of the fields, to suggest from, of what is being read.
    """
    details = error.errors(include_url=False)[:MOST_ERRORS]
    return tuple(_translate(detail, fields, what) for detail in details if not _is_echo(detail))


def _is_echo(detail: ErrorDetails) -> bool:
    """Tell whether pydantic calls a list too short because its items, reported already, were wrong."""
    return detail["type"] == "too_short" and detail["ctx"]["actual_length"] < len(detail["input"])


def _translate(detail: ErrorDetails, fields: Mapping[str, object], what: str) -> FieldError:
    field = format_location(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    value: object = MISSING if kind == "missing" else detail["input"]
    if kind == "domain_rule":
        return FieldError.of(field, context["rule"], value, context["suggestions"])
    rule = RULES.get(kind, "is not valid").format(**context, what=what)
    return FieldError.of(field, rule, value, _suggest(kind, detail, context, fields))


def _suggest(
    kind: str, detail: ErrorDetails, context: Mapping[str, object], fields: Mapping[str, object]
) -> tuple[str, ...]:
    if kind == "extra_forbidden":
        return find_nearest_names(detail["loc"][-1], fields)
    if kind == "literal_error":
        expected = str(context["expected"]).replace(" or ", ", ").replace("'", "")
        return find_nearest_names(detail["input"], expected.split(", "))
    return ()


def format_location(location: tuple[int | str, ...]) -> str:
    """Name the place of a value: a field, or an item of one.

    >>> format_location(("shape", 1)), format_location(("seed",)), format_location(())
    ('shape[1]', 'seed', 'spec')
    """
    if not location:
        return "spec"
    first, *rest = location
    name = str(first)
    known = (
        name if name.isidentifier() and name.isascii() and len(name) <= LONGEST_TEXT else describe_text(name)
    )
    return known + "".join(f"[{item}]" for item in rest if isinstance(item, int))
