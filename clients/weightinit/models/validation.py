"""Reading: the values that JSON has, and where in a model one was refused."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches

from weightinit.errors import FieldError, SpecRejected
from weightinit.spec.layer import refuse, shorten


@contextmanager
def locate(place: str) -> Iterator[None]:
    """Name the tensor or part in an error that a block raises for a field.

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
    """Write the place of a tensor, as the service does."""
    return f"tensors[{json.dumps(shorten(name), ensure_ascii=False)}]"


def read_object(value: object, *known: str) -> Mapping[str, object]:
    """Read an object whose fields are some of those that are known. Raises SpecRejected."""
    if not isinstance(value, Mapping):
        raise refuse("entry", "must be an object with fields", value)
    for field in value:
        if field not in known:
            name = shorten(str(field))
            near = get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise refuse(name, f"is no field here: {advice}", value[field])
    return value


def read_list(field: str, value: object) -> list[object]:
    """Read a list. Raises SpecRejected."""
    if not isinstance(value, list):
        raise refuse(field, "must be a list", value)
    return value


def read_text(field: str, value: object) -> str:
    """Read a text. Raises SpecRejected."""
    if not isinstance(value, str):
        raise refuse(field, "must be text", value)
    return value


def _move(row: FieldError, place: str) -> FieldError:
    return replace(row, field=f"{place}.{row.field}", message=f"{place}.{row.message}")
