"""Requests about names: publish, retire and list them."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from service.api.schemas.statement import SURROGATES, UNPRINTABLE, Statement, match_whole
from service.core.errors import SpecError, make_rule_error
from service.core.layer.query import TextParser, parse_integer
from service.core.models.names import MAX_AUTHOR_LENGTH, MAX_NOTE_LENGTH, MODEL_ID, SEGMENT, ModelName
from service.core.models.specs import CONTROLS

MAX_NAMES_LISTED = 1000
PREFIX = re.compile(f"({SEGMENT.pattern}/){{0,2}}({SEGMENT.pattern})?")
# A note may have lines and tabs.
CONTROL_IN_NOTE = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029"
UNPRINTABLE_IN_NOTE = re.compile(f"[{CONTROL_IN_NOTE}{SURROGATES}]")


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
            json_schema_extra={
                **match_whole(f"[^{CONTROLS}]*[^{CONTROLS}\\s][^{CONTROLS}]*"),
                "minLength": 1,
                "maxLength": MAX_AUTHOR_LENGTH,
            },
        ),
    ]
    note: Annotated[
        str,
        AfterValidator(_check_note),
        Field(
            description=f"Why: at most {MAX_NOTE_LENGTH} characters.",
            examples=["superseded by 1.1"],
            json_schema_extra={**match_whole(f"[^{CONTROL_IN_NOTE}]*"), "maxLength": MAX_NOTE_LENGTH},
        ),
    ] = ""


class Publication(Reason):
    """The model to publish under a name, who publishes it, and why."""

    model: Annotated[
        str,
        AfterValidator(_check_model),
        Field(
            description="The model's id: 64 lower-case hexadecimal digits.",
            json_schema_extra=match_whole(MODEL_ID.pattern),
        ),
    ]


class Listing(Statement):
    """A request for a page of names."""

    PARSERS: ClassVar[dict[str, TextParser]] = {"limit": parse_integer}

    prefix: Annotated[
        str,
        AfterValidator(_check_prefix),
        Field(
            description="The beginning of the names, including slashes.",
            examples=["vision/res"],
            json_schema_extra=match_whole(PREFIX.pattern),
        ),
    ] = ""
    after: Annotated[
        Annotated[
            str,
            AfterValidator(_check_name),
            Field(json_schema_extra=match_whole("/".join([SEGMENT.pattern] * 3))),
        ]
        | None,
        Field(description="The page starts after this name.", examples=["vision/resnet50/1.0"]),
    ] = None
    limit: Annotated[
        int, Field(ge=1, le=MAX_NAMES_LISTED, description="The largest number of names in the response.")
    ] = 100
