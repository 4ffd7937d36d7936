"""Statement: the base of the requests about names and tokens."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from service.core.errors import MAX_ERRORS, FieldError, SpecError, translate_validation_errors
from service.core.layer.query import TextParser, parse_pairs
from service.core.models.specs import CONTROLS

SURROGATES = r"\ud800-\udfff"  # lone ones; JSON Schema has no way to exclude them
UNPRINTABLE = re.compile(f"[{CONTROLS}{SURROGATES}]")


def match_whole(pattern: str) -> dict[str, Any]:
    """Make the rule of JSON Schema for text that a pattern matches as a whole."""
    return {"pattern": f"^{pattern}$"}


class Statement(BaseModel):
    """Base of the requests about names and tokens, and of the parameters of their lists."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    PARSERS: ClassVar[dict[str, TextParser]] = {}

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """Parse JSON-like values. Raises SpecError, with every invalid field.

        >>> from service.api.schemas.names import Reason
        >>> Reason.parse({"author": "ada", "note": "superseded"}).author
        'ada'
        """
        return cls._parse(values, [])

    @classmethod
    def parse_query(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Parse the decoded parameters of a URL. Raises SpecError.

        >>> from service.api.schemas.names import Listing
        >>> Listing.parse_query([("prefix", "vision/"), ("limit", "20")]).limit
        20
        """
        return cls._parse(*parse_pairs(pairs, cls.PARSERS))

    @classmethod
    def _parse(cls, values: Mapping[str, object], repeated: list[FieldError]) -> Self:
        try:
            made = cls.model_validate(values)
        except ValidationError as error:
            errors = [*translate_validation_errors(error, cls.model_fields, cls.__name__.lower()), *repeated]
            raise SpecError(errors[:MAX_ERRORS]) from None
        if repeated:
            raise SpecError(repeated[:MAX_ERRORS])
        return made
