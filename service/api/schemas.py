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
    """A model that is published: its id, the version of its stream, and how much there is of it."""

    id: str
    stream: int
    tensors: int
    elements: int
    bytes: int

    @classmethod
    def of(cls, model: Model) -> Self:
        """Count a model."""
        return cls(model.id, model.stream, len(model.tensors), model.elements, model.nbytes)


@dataclass(frozen=True, slots=True)
class DecidedPart:
    """Rows of a tensor: drawn with `parameters`, a `slice` of what is drawn perhaps, or a `constant`."""

    name: str
    shape: tuple[int, ...]
    slice: str | None
    constant: float | None
    parameters: Parameters | None

    @classmethod
    def of(cls, part: Part) -> Self:
        """Tell what was decided for a part."""
        if isinstance(part, Drawn):
            return cls(part.name, part.shape, part.slice_text or None, None, part.parameters)
        return cls(part.name, part.shape, None, part.value, None)


@dataclass(frozen=True, slots=True)
class DecidedTensor:
    """A tensor of a model, and the parts that are stacked to it: one at least."""

    name: str
    shape: tuple[int, ...]
    dtype: TensorDtypeName
    parts: tuple[DecidedPart, ...]

    @classmethod
    def of(cls, tensor: ModelTensor) -> Self:
        """Tell what was decided for a tensor."""
        parts = tuple(DecidedPart.of(part) for part in tensor.parts)
        return cls(tensor.name, tensor.shape, tensor.dtype, parts)


@dataclass(frozen=True, slots=True)
class DecidedModel:
    """What was decided for every tensor of a model, in the order of their names' bytes. The seed is text."""

    model: str
    seed: str
    stream: int
    tensors: tuple[DecidedTensor, ...]

    @classmethod
    def of(cls, model_id: str, model: Model) -> Self:
        """Tell what was decided for a model."""
        tensors = tuple(DecidedTensor.of(tensor) for tensor in model.tensors)
        return cls(model_id, str(model.seed), model.stream, tensors)


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """An initialization scheme: every name of it, what σ² is by default, why, and where it was published."""

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
        """Write a row of the table of schemes."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """An activation: its names, its family, the scheme that suits it, and why.

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
        """Write a row of the table of activations."""
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
        raise make_rule_error(f"must be 1 to {MAX_AUTHOR_LENGTH} printable characters, not all of them blank")
    return text


def _check_note(text: str) -> str:
    if len(text) > MAX_NOTE_LENGTH or UNPRINTABLE_IN_NOTE.search(text):
        raise make_rule_error(
            f"must be at most {MAX_NOTE_LENGTH} characters: printable ones, tabs and line ends"
        )
    return text


def _check_prefix(text: str) -> str:
    if not PREFIX.fullmatch(text):
        raise make_rule_error("must be how a team/name/version begins")
    return text


def _check_name(text: str) -> str:
    try:
        return str(ModelName.parse(text))
    except SpecError:
        raise make_rule_error("must be a team/name/version") from None


class Statement(BaseModel):
    """What is said of a name, field by field."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    PARSERS: ClassVar[dict[str, TextParser]] = {}

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
    """Who does something to a name, and why."""

    author: Annotated[
        str,
        AfterValidator(_check_author),
        Field(description=f"Who says so: 1 to {MAX_AUTHOR_LENGTH} printable characters.", examples=["ada"]),
    ]
    note: Annotated[
        str,
        AfterValidator(_check_note),
        Field(description=f"Why: at most {MAX_NOTE_LENGTH} characters.", examples=["superseded by 1.1"]),
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

    PARSERS: ClassVar[dict[str, TextParser]] = {"limit": parse_integer}

    prefix: Annotated[
        str,
        AfterValidator(_check_prefix),
        Field(description="How the names begin, slashes and all.", examples=["vision/res"]),
    ] = ""
    after: Annotated[
        Annotated[str, AfterValidator(_check_name)] | None,
        Field(description="The name after which to begin.", examples=["vision/resnet50/1.0"]),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_NAMES_LISTED, description="Most names to answer with.")] = 100
