"""Names: `team/name/version`, each of which refers to one published model."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from service.core.errors import FieldError, SpecError, make_spec_error

MODEL_ID = re.compile(r"[0-9a-f]{64}")
MAX_SEGMENT_LENGTH = 100
MAX_AUTHOR_LENGTH = 200
MAX_NOTE_LENGTH = 2000
SEGMENT = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_SEGMENT_LENGTH - 1}}}")
SEGMENT_RULE = f"must be 1 to {MAX_SEGMENT_LENGTH} of A-Z a-z 0-9 . _ -, and start with a letter or digit"
LAST = "\x7f"  # greater than every character of a segment


class ModelName(NamedTuple):
    """The name of a published model. Names are ordered as tuples, each segment by its code points."""

    team: str
    name: str
    version: str

    @classmethod
    def of(cls, team: str, name: str, version: str) -> Self:
        """Make a name from its segments. Raises SpecError with every invalid segment.

        >>> str(ModelName.of("vision", "resnet50", "1.0"))
        'vision/resnet50/1.0'
        """
        result = cls(team, name, version)
        errors = [
            FieldError.of(field, SEGMENT_RULE, text)
            for field, text in result._asdict().items()
            if not SEGMENT.fullmatch(text)
        ]
        if errors:
            raise SpecError(errors)
        return result

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
    r"""Return the half-open interval of the names that start with a prefix.

    >>> span_prefix("vision/res")
    (ModelName(team='vision', name='res', version=''), ModelName(team='vision', name='res\x7f', version=''))
    """
    return _fill_name(prefix), _fill_name(prefix + LAST)


def _fill_name(beginning: str) -> ModelName:
    team, name, version, *_ = (*beginning.split("/"), "", "")
    return ModelName(team, name, version)


@dataclass(frozen=True, slots=True)
class Retirement:
    """Who retired a name, why, and when (UTC)."""

    author: str
    note: str
    when: datetime


@dataclass(frozen=True, slots=True)
class NameEntry:
    """A name, the id of its model, who published it, why, and when (UTC)."""

    name: ModelName
    model: str
    author: str
    note: str
    published: datetime
    retired: Retirement | None = None
