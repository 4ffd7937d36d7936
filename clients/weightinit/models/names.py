"""Names: `team/name/version`. A name permanently refers to one model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from weightinit.spec.layer import describe, refuse

MODEL_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
NAME = re.compile(rf"{SEGMENT}/{SEGMENT}/{SEGMENT}", re.ASCII)


class Naming(TypedDict, total=False):
    """The keyword arguments of Registry.publish that name the model."""

    name: str | None
    author: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Retirement:
    """The retirement of a name: who retired it, why, and when."""

    author: str
    note: str
    when: datetime


@dataclass(frozen=True, slots=True)
class NameEntry:
    """The entry of a name: its model's id, who published it, why, and when; and its retirement, if any."""

    name: str
    model: str
    author: str
    note: str
    published: datetime
    retired: Retirement | None = None

    @classmethod
    def from_json(cls, answer: Mapping[str, object]) -> "NameEntry":
        """Return the entry of a response. Raises ValueError."""
        texts = {field: _read_text(answer, field) for field in ("name", "model", "author")}
        retired = answer.get("retired")
        return cls(
            **texts,
            note=_read_note(answer),
            published=_read_time(answer, "published"),
            retired=_read_retirement(retired) if isinstance(retired, dict) else None,
        )


@dataclass(frozen=True, slots=True)
class Publication:
    """A published model: its id, its numbers of tensors, elements and bytes, and its name if any.

    `is_new` is whether its id or its name was new to the service.
    """

    id: str
    tensors: int
    elements: int
    nbytes: int
    is_new: bool
    name: str | None = None

    @classmethod
    def from_json(cls, answer: Mapping[str, object], *, is_new: bool) -> "Publication":
        """Return the publication of a response. Raises ValueError."""
        model = _read_text(answer, "id")
        if not is_model_id(model):
            raise ValueError(f"id is {describe(model)}")
        tensors, elements, size = (_read_count(answer, field) for field in ("tensors", "elements", "bytes"))
        return cls(model, tensors, elements, size, is_new)


def read_entries(answer: Mapping[str, object]) -> list[NameEntry]:
    """Return the entries of a page of names. Raises ValueError."""
    rows = answer.get("names")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("names is not a list of entries")
    return [NameEntry.from_json(row) for row in rows]


def is_model_id(text: str) -> bool:
    """Return whether a text is a model's id: a SHA-256 in lower-case hexadecimal digits."""
    return MODEL_ID.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Return whether a text has the form of a name."""
    return NAME.fullmatch(text) is not None


def check_name(text: str) -> str:
    """Check that a text is a name. Raises SpecRejected.

    >>> check_name("vision/resnet50/1")
    'vision/resnet50/1'
    """
    if not is_name(text):
        rule = "must be team/name/version, each made of letters, digits, '.', '_' and '-'"
        raise refuse("name", rule, text)
    return text


def check_reference(text: str) -> str:
    """Check that a text is a model's id or a name. Raises SpecRejected."""
    if not is_model_id(text) and not is_name(text):
        rule = "must be a model's id (64 hexadecimal digits) or name (team/name/version)"
        raise refuse("reference", rule, text)
    return text


def _read_text(answer: Mapping[str, object], field: str) -> str:
    value = answer.get(field)
    if not isinstance(value, str):
        raise ValueError(f"{field} is {describe(value)}")  # noqa: TRY004 - it is the service's response
    return value


def _read_count(answer: Mapping[str, object], field: str) -> int:
    value = answer.get(field)
    if type(value) is not int:
        raise ValueError(f"{field} is {describe(value)}")
    return value


def _read_note(answer: Mapping[str, object]) -> str:
    return _read_text(answer, "note") if answer.get("note") is not None else ""


def _read_time(answer: Mapping[str, object], field: str) -> datetime:
    return datetime.fromisoformat(_read_text(answer, field))


def _read_retirement(answer: Mapping[str, object]) -> Retirement:
    return Retirement(_read_text(answer, "author"), _read_note(answer), _read_time(answer, "when"))
