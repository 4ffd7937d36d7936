"""Request and response schemas: publishing, retiring and listing names, published models, tables."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.core import DistributionName, Mode, Parameters, SchemeName, TensorDtypeName
from service.core.activations import Activation, Family
from service.core.errors import (
    MAX_ERRORS,
    FieldError,
    SpecError,
    make_rule_error,
    translate_validation_errors,
)
from service.core.models import Drawn, Model, ModelTensor, Part
from service.core.models.names import MAX_AUTHOR_LENGTH, MAX_NOTE_LENGTH, MODEL_ID, SEGMENT, ModelName
from service.core.schemes import SCHEMES, Scheme
from service.core.spec import TextParser, parse_integer, parse_pairs


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A published model: its id, its stream version, and its numbers of tensors, elements and bytes."""

    id: str
    stream: int
    tensors: int
    elements: int
    bytes: int

    @classmethod
    def of(cls, model: Model) -> Self:
        """Make the summary of a model."""
        return cls(model.id, model.stream, len(model.tensors), model.elements, model.nbytes)


@dataclass(frozen=True, slots=True)
class DecidedPart:
    """Rows of a tensor: drawn with `parameters`, of which `slice` takes some rows, or a `constant`."""

    name: str
    shape: tuple[int, ...]
    slice: str | None
    constant: float | None
    parameters: Parameters | None

    @classmethod
    def of(cls, part: Part) -> Self:
        """Make the description of a part."""
        if isinstance(part, Drawn):
            return cls(part.name, part.shape, part.slice_text or None, None, part.parameters)
        return cls(part.name, part.shape, None, part.value, None)


@dataclass(frozen=True, slots=True)
class DecidedTensor:
    """A tensor of a model, and its parts, at least one, stacked along the first axis."""

    name: str
    shape: tuple[int, ...]
    dtype: TensorDtypeName
    parts: tuple[DecidedPart, ...]

    @classmethod
    def of(cls, tensor: ModelTensor) -> Self:
        """Make the description of a tensor."""
        parts = tuple(DecidedPart.of(part) for part in tensor.parts)
        return cls(tensor.name, tensor.shape, tensor.dtype, parts)


@dataclass(frozen=True, slots=True)
class DecidedModel:
    """The parameters of every tensor of a model, sorted by the bytes of their names. The seed is text."""

    model: str
    seed: str
    stream: int
    tensors: tuple[DecidedTensor, ...]

    @classmethod
    def of(cls, model_id: str, model: Model) -> Self:
        """Make the description of a model."""
        tensors = tuple(DecidedTensor.of(tensor) for tensor in model.tensors)
        return cls(model_id, str(model.seed), model.stream, tensors)


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """An initialization scheme: its names, the default formula of σ², the reason and the reference."""

    name: SchemeName
    aliases: tuple[str, ...]
    spellings: tuple[str, ...]
    formula: str
    scale: float | None
    mode: Mode | None
    distribution: DistributionName
    reason: str
    reference: str

    @classmethod
    def of(cls, row: Scheme) -> Self:
        """Make the row of a scheme."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """An activation: its names, its family, the scheme that `auto` chooses, and the reason.

    `formula` and `reference` are those of the scheme.
    """

    name: str
    aliases: tuple[str, ...]
    family: Family
    scheme: SchemeName
    formula: str
    reason: str
    reference: str

    @classmethod
    def of(cls, row: Activation) -> Self:
        """Make the row of an activation."""
        scheme = SCHEMES[row.scheme]
        return cls(
            row.name, row.aliases, row.family, row.scheme, scheme.formula, row.reason, scheme.reference
        )


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


class Statement(BaseModel):
    """Base of the requests about names."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    PARSERS: ClassVar[dict[str, TextParser]] = {}

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """Parse JSON-like values. Raises SpecError, with every invalid field.

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
