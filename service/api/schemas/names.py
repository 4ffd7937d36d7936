"""Requests about names: publish, retire and list them."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from service.api.schemas.statement import Statement
from service.core.errors import SpecError, make_rule_error
from service.core.models.names import MAX_AUTHOR_LENGTH, MAX_NOTE_LENGTH, MODEL_ID, SEGMENT, ModelName
from service.core.spec import TextParser, parse_integer

MAX_NAMES_LISTED = 1000
PREFIX = re.compile(f"({SEGMENT.pattern}/){{0,2}}({SEGMENT.pattern})?")
# Control characters, line and paragraph separators, and lone surrogates; a note may have lines and tabs.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
UNPRINTABLE_IN_NOTE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _check_model(text: str) -> str:
    if not MODEL_ID.fullmatch(text):
        raise make_rule_error("must be the id of a model: 64 lower-case hexadecimal digits")
    return text


def _check_author(text: str) -> str:
    if not text.strip() or len(text) > MAX_AUTHOR_LENGTH or UNPRINTABLE.search(text):
        raise make_rule_error(f"must be 1 to {MAX_AUTHOR_LENGTH} printable characters, not only spaces")
    return text


def _check_note(text: str) -> str:
    if len(text) > MAX_NOTE_LENGTH or UNPRINTABLE_IN_NOTE.search(text):
        raise make_rule_error(
            f"must be at most {MAX_NOTE_LENGTH} characters: printable ones, tabs and line breaks"
        )
    return text


def _check_prefix(text: str) -> str:
    if not PREFIX.fullmatch(text):
        raise make_rule_error("must be the beginning of a team/name/version")
    return text


def _check_name(text: str) -> str:
    try:
        return str(ModelName.parse(text))
    except SpecError:
        raise make_rule_error("must be a team/name/version") from None


class Reason(Statement):
    """Who publishes or retires a name, and why."""

    author: Annotated[
        str,
        AfterValidator(_check_author),
        Field(
            description=f"Who makes the change: 1 to {MAX_AUTHOR_LENGTH} printable characters.",
            examples=["ada"],
        ),
    ]
    note: Annotated[
        str,
        AfterValidator(_check_note),
        Field(description=f"Why: at most {MAX_NOTE_LENGTH} characters.", examples=["superseded by 1.1"]),
    ] = ""


class Publication(Reason):
    """The model to publish under a name, who publishes it, and why."""

    model: Annotated[
        str,
        AfterValidator(_check_model),
        Field(description="The model's id: 64 lower-case hexadecimal digits."),
    ]


class Listing(Statement):
    """A request for a page of names."""

    PARSERS: ClassVar[dict[str, TextParser]] = {"limit": parse_integer}

    prefix: Annotated[
        str,
        AfterValidator(_check_prefix),
        Field(description="The beginning of the names, including slashes.", examples=["vision/res"]),
    ] = ""
    after: Annotated[
        Annotated[str, AfterValidator(_check_name)] | None,
        Field(description="The page starts after this name.", examples=["vision/resnet50/1.0"]),
    ] = None
    limit: Annotated[
        int, Field(ge=1, le=MAX_NAMES_LISTED, description="The largest number of names in the response.")
    ] = 100
