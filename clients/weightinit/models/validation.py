"""Validation: check JSON values, and name the place of an invalid one in a model."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches

from weightinit.errors import FieldError, SpecRejected
from weightinit.spec.layer import refuse, shorten


@contextmanager
def locate(place: str) -> Iterator[None]:
    """Add the tensor or part to SpecRejected errors that a block raises for a field.

    >>> with locate(name_tensor("fc")), locate("parts[0]"):
    ...     raise refuse("shape", "must be made of integers", "x")
    Traceback (most recent call last):
    weightinit.errors.SpecRejected: tensors["fc"].parts[0].shape must be made of integers; received 'x'
    """
    try:
        yield
    except SpecRejected as error:
        rows = [_move(row, place) for row in error.errors]
        message = "; ".join(row.message for row in rows)
        raise SpecRejected(message, detail=message, errors=rows) from None


def name_tensor(name: str) -> str:
    """Return the path of a tensor in messages, as the service writes it."""
    return f"tensors[{json.dumps(shorten(name), ensure_ascii=False)}]"


def read_object(value: object, *known: str) -> Mapping[str, object]:
    """Return an object after checking that its fields are known. Raises SpecRejected."""
    if not isinstance(value, Mapping):
        raise refuse("entry", "must be an object with fields", value)
    for field in value:
        if field not in known:
            name = shorten(str(field))
            near = get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"use {', '.join(known)}"
            raise refuse(name, f"is not a field here: {advice}", value[field])
    return value


def read_list(field: str, value: object) -> list[object]:
    """Return a value after checking that it is a list. Raises SpecRejected."""
    if not isinstance(value, list):
        raise refuse(field, "must be a list", value)
    return value


def read_text(field: str, value: object) -> str:
    """Return a value after checking that it is text. Raises SpecRejected."""
    if not isinstance(value, str):
        raise refuse(field, "must be text", value)
    return value


def read_flag(field: str, value: object) -> bool:
    """Return a value after checking that it is true or false. Raises SpecRejected."""
    if not isinstance(value, bool):
        raise refuse(field, "must be true or false", value)
    return value


def _move(row: FieldError, place: str) -> FieldError:
    return replace(row, field=f"{place}.{row.field}", message=f"{place}.{row.message}")
