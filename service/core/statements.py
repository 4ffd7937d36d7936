"""Statements: what a client says of a name: that it stands for a model, that it is retired, which to list."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.core.errors import FieldError, SpecError
from service.core.naming import MODEL_ID, SEGMENT, ModelName
from service.core.query import parse_pairs
from service.core.violations import MOST_ERRORS, break_rule, translate_violations

MOST_ENTRIES = 1000
LONGEST_AUTHOR = 200
LONGEST_NOTE = 2000
PREFIX = re.compile(f"({SEGMENT.pattern}/){{0,2}}({SEGMENT.pattern})?")
# Control characters, line and paragraph separators, and lone surrogates; a note may have lines and tabs.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
UNPRINTABLE_IN_NOTE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _check_model(text: str) -> str:
    if not MODEL_ID.fullmatch(text):
        raise break_rule("must be the id of a model: 64 lower-case hexadecimal digits")
    return text


def _check_author(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_AUTHOR or UNPRINTABLE.search(text):
        raise break_rule(f"must be 1 to {LONGEST_AUTHOR} printable characters, not all of them blank")
    return text


def _check_note(text: str) -> str:
    if len(text) > LONGEST_NOTE or UNPRINTABLE_IN_NOTE.search(text):
        raise break_rule(f"must be at most {LONGEST_NOTE} characters: printable ones, tabs and line ends")
    return text


def _check_prefix(text: str) -> str:
    if not PREFIX.fullmatch(text):
        raise break_rule("must be how a team/name/version begins")
    return text


def _check_name(text: str) -> str:
    try:
        return str(ModelName.parse(text))
    except SpecError:
        raise break_rule("must be a team/name/version") from None


class Statement(BaseModel):
    """What is said of a name, field by field."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """Parse JSON-like values. Raises SpecError, with every field that is wrong.

        >>> Reason.parse({"author": "ada", "note": "superseded"}).author
        'ada'
        """
        return cls._parse(values, [])

    @classmethod
    def parse_query(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Parse the decoded parameters of a URL. Raises SpecError.

        >>> Listing.parse_query([("prefix", "vision/"), ("limit", "20")]).limit
        20
        """
        return cls._parse(*parse_pairs(pairs))

    @classmethod
    def _parse(cls, values: Mapping[str, object], repeated: list[FieldError]) -> Self:
        try:
            made = cls.model_validate(values)
        except ValidationError as error:
            errors = [*translate_violations(error, cls.model_fields, cls.__name__.lower()), *repeated]
            raise SpecError(errors[:MOST_ERRORS]) from None
        if repeated:
            raise SpecError(repeated[:MOST_ERRORS])
        return made


class Reason(Statement):
    """Who does something to a name, and why."""

    author: Annotated[
        str,
        AfterValidator(_check_author),
        Field(description=f"Who says so: 1 to {LONGEST_AUTHOR} printable characters.", examples=["ada"]),
    ]
    note: Annotated[
        str,
        AfterValidator(_check_note),
        Field(description=f"Why: at most {LONGEST_NOTE} characters.", examples=["superseded by 1.1"]),
    ] = ""


class Publication(Reason):
    """Which model a name is to stand for, who says so, and why."""

    model: Annotated[
        str,
        AfterValidator(_check_model),
        Field(description="The model's id: 64 lower-case hexadecimal digits."),
    ]


class Listing(Statement):
    """Which names are asked for."""

    prefix: Annotated[
        str,
        AfterValidator(_check_prefix),
        Field(description="How the names begin, slashes and all.", examples=["vision/res"]),
    ] = ""
    after: Annotated[
        Annotated[str, AfterValidator(_check_name)] | None,
        Field(description="The name after which to begin.", examples=["vision/resnet50/1.0"]),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MOST_ENTRIES, description="Most names to answer with.")] = 100
