"""Entries: what the store knows of a name."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from service.core.errors import FieldError, SpecError, make_spec_error

MODEL_ID = re.compile(r"[0-9a-f]{64}")
SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SEGMENT_RULE = "must be 1 to 100 of A-Z a-z 0-9 . _ -, and begin with a letter or digit"
LAST = "\x7f"  # beyond every character that a segment may have


class ModelName(NamedTuple):
    """The name of a published model. Names are ordered as tuples, each segment by its code points."""

    team: str
    name: str
    version: str

    @classmethod
    def of(cls, team: str, name: str, version: str) -> Self:
        """Make a name of its segments. Raises SpecError, with every segment that is wrong.

        >>> str(ModelName.of("vision", "resnet50", "1.0"))
        'vision/resnet50/1.0'
        """
        made = cls(team, name, version)
        errors = [
            FieldError.of(field, SEGMENT_RULE, text)
            for field, text in made._asdict().items()
            if not SEGMENT.fullmatch(text)
        ]
        if errors:
            raise SpecError(errors)
        return made

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `team/name/version`. Raises SpecError.

        >>> ModelName.parse("vision/resnet50/1.0").version
        '1.0'
        """
        segments = text.split("/", 3)
        if len(segments) != 3:
            raise make_spec_error("name", "must be team/name/version", text)
        return cls.of(*segments)

    def __str__(self) -> str:
        return "/".join(self)


def span_prefix(prefix: str) -> tuple[ModelName, ModelName]:
    r"""Return the ends of the interval, half-open, of the names whose text begins with a prefix.

    >>> span_prefix("vision/res")
    (ModelName(team='vision', name='res', version=''), ModelName(team='vision', name='res\x7f', version=''))
    """
    return _fill_name(prefix), _fill_name(prefix + LAST)


def _fill_name(beginning: str) -> ModelName:
    team, name, version, *_ = (*beginning.split("/"), "", "")
    return ModelName(team, name, version)


@dataclass(frozen=True, slots=True)
class Retirement:
    """Who took a name out of use, why, and when (UTC)."""

    author: str
    note: str
    when: datetime


@dataclass(frozen=True, slots=True)
class NameEntry:
    """A name, the id of the model that it stands for, who published it, why, and when (UTC)."""

    name: ModelName
    model: str
    author: str
    note: str
    published: datetime
    retired: Retirement | None = None
