"""Specs: the JSON of a model and its tensors, as it is validated before it is resolved."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.core.dtypes import TENSOR_DTYPES, IntegerDtype, TensorDtypeName
from service.core.errors import MISSING, FieldError, SpecError, make_spec_error, translate_validation_errors
from service.core.layer.spec import LayerSpec
from service.core.layer.types import MAX_NAME_BYTES, AnyShape, NonScalarShape, Seed, check_name
from service.core.models.values import Rule, ValuesName, make_rule

Fields = dict[str, Any]
#: Control characters, and line and paragraph separators.
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
CONTROL = re.compile(f"[{CONTROLS}]")
#: What JSON Schema can state of a tensor's name; `check_tensor_name` checks the rest.
NAME_RULES: Fields = {"minLength": 1, "maxLength": MAX_NAME_BYTES, "pattern": f"^[^{CONTROLS}]*$"}
Name = Annotated[
    str,
    AfterValidator(check_name),
    Field(json_schema_extra=NAME_RULES),
]
Divisor = Literal["channels", "last"]
Steps = Literal["float64", "float32"]
Grid = Annotated[
    tuple[Annotated[int, Field(ge=1, le=2**20)], ...],
    Field(min_length=2, max_length=2),
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
]
M = TypeVar("M", bound="StrictModel")

#: The key of the metadata in a safetensors header, so no tensor can have this name.
SAFETENSORS_METADATA = "__metadata__"
#: More than any valid object has. A hostile one may have a million, with an error for each.
MAX_FIELDS = 64
#: RFC 8785 writes numbers as doubles, which hold every integer up to here (RFC 7493, section 2.2).
MAX_INTEGER = 2**53 - 1


class StrictModel(BaseModel):
    """Base of the models that are parsed from JSON: no coercion, no unknown fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ModelSpec(StrictModel):
    """A model: a seed, defaults for the tensors, and the tensors."""

    seed: Annotated[Seed, Field(description="0 to 2⁶⁴ - 1, as a number or as decimal text.")]
    stream: Annotated[
        int, Field(description="The version of the stream.", json_schema_extra={"minimum": 1, "maximum": 1})
    ] = 1
    defaults: Annotated[
        Fields, Field(description="Fields of a layer spec, for tensors that do not set them.")
    ] = {}
    recipe: Annotated[
        str | Fields | None,
        Field(description="A recipe's name, or an object with its `name` and sizes; see `/v1/recipes`."),
    ] = None
    tensors: Annotated[
        list[Fields],
        Field(
            json_schema_extra={"minItems": 1},
            description="Each with a name, a shape, and either fields of a layer spec, a `constant`, "
            "or `parts`, which are stacked along the first axis. With a recipe, a tensor needs none of them.",
        ),
    ]


class ConstantSpec(StrictModel):
    """A tensor, or a part of one, with one value everywhere."""

    name: Name
    shape: Annotated[AnyShape, Field(description="0 to 8 axes, whose lengths may be 0. A scalar has none.")]
    constant: Annotated[float, Field(description="A value of the dtype; 0 or 1 for bool.")]
    dtype: TensorDtypeName = "float32"


class ValuesSpec(StrictModel):
    """A tensor, or a part of one, whose elements follow from their place."""

    name: Name
    shape: Annotated[NonScalarShape, Field(description="At least 1 axis. Lengths may be 0.")]
    values: Annotated[
        ValuesName,
        Field(
            description="`arange`: start + step · index on the last axis. `log_arange`: log(index + 1). "
            "`sinusoidal`: sines and cosines of positions. `softplus_inverse_log_uniform`: drawn, as Mamba's "
            "bias of the time step."
        ),
    ]
    start: Annotated[float | None, Field(description="Of `arange`. Default 0.")] = None
    step: Annotated[float | None, Field(description="Of `arange`. Default 1.")] = None
    base: Annotated[
        float | None, Field(description="Of `sinusoidal`: the longest period / 2π. Default 10000.")
    ] = None
    divisor: Annotated[
        Divisor | None,
        Field(description="Of `sinusoidal`: of the exponent, half the channels, or with `last` one less."),
    ] = None
    interleaved: Annotated[
        bool | None,
        Field(description="Of `sinusoidal`: each sine beside its cosine. Default: all sines first."),
    ] = None
    cosine_first: Annotated[bool | None, Field(description="Of `sinusoidal`: cosines before sines.")] = None
    grid: Annotated[
        Grid | None,
        Field(description="Of `sinusoidal`: height and width, if positions are places of a grid."),
    ] = None
    line_first: Annotated[
        bool | None, Field(description="Of `sinusoidal` with a grid: the line before the column.")
    ] = None
    steps: Annotated[
        Steps | None,
        Field(description="Of `sinusoidal`: the precision of intermediate values. Default float64."),
    ] = None
    low: Annotated[
        float | None, Field(description="Of `softplus_inverse_log_uniform`: the least. Default 0.001.")
    ] = None
    high: Annotated[
        float | None, Field(description="Of `softplus_inverse_log_uniform`: the largest. Default 0.1.")
    ] = None
    floor: Annotated[
        float | None, Field(description="Of `softplus_inverse_log_uniform`: after the draw. Default 0.0001.")
    ] = None
    dtype: TensorDtypeName = "float32"

    def make_rule(self) -> Rule:
        """Return the rule of the values. Raises SpecError for an option that it does not have."""
        options = self.model_dump(exclude_none=True, exclude={"name", "shape", "values", "dtype"})
        return make_rule(self.values, options)


class StackSpec(StrictModel):
    """A tensor of parts that are stacked along an axis."""

    name: Name
    shape: AnyShape
    axis: Annotated[int, Field(ge=0, le=7, description="The axis along which parts are stacked.")] = 0
    parts: Annotated[list[Fields], Field(json_schema_extra={"minItems": 1})]
    dtype: TensorDtypeName = "float32"


def validate(kind: type[M], values: Mapping[str, object], what: str) -> M:
    """Validate JSON-like values as a model. Raises SpecError, with every invalid field."""
    check_fields(values, what)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SpecError(translate_validation_errors(error, kind.model_fields, what)) from None


def check_fields(values: Mapping[str, object], what: str) -> None:
    """Check the number of fields before any of them is validated. Raises SpecError."""
    if len(values) > MAX_FIELDS:
        raise SpecError([FieldError.of(what, f"must have at most {MAX_FIELDS} fields", len(values))])


def check_tensor_name(name: object) -> None:
    """Check that a name is valid in a URL path and in a safetensors file. Raises SpecError.

    A name that is not text is left to the validation of the spec.
    """
    if name is MISSING or name == "":
        raise make_spec_error("name", "is required for each tensor", name)
    if not isinstance(name, str):
        return
    if CONTROL.search(name):
        raise make_spec_error("name", "must not contain control characters", name)
    if name == SAFETENSORS_METADATA:
        raise make_spec_error("name", "is reserved for the metadata of safetensors files", name)
    if ".." in name or any(segment in {"", "."} for segment in name.split("/")):
        rule = "must not contain .., nor a segment between slashes that is empty or ."
        raise make_spec_error("name", rule, name)


def check_constant(spec: ConstantSpec) -> None:
    """Check that the dtype can represent a constant. Raises SpecError."""
    row = TENSOR_DTYPES[spec.dtype]
    if isinstance(row, IntegerDtype):
        check_integer(spec.constant, row)
    elif abs(spec.constant) > (largest := row.max):
        rule = f"must have a magnitude of at most {largest:g}, the largest {spec.dtype}"
        raise make_spec_error("constant", rule, spec.constant)


def check_integer(value: float, row: IntegerDtype) -> None:
    """Check that an integer dtype, and the canonical form, can represent a value. Raises SpecError."""
    lowest, largest = max(row.min, -MAX_INTEGER), min(row.max, MAX_INTEGER)
    if not (value.is_integer() and lowest <= value <= largest):
        rule = f"must be an integer from {lowest} to {largest} for {row.name}"
        raise make_spec_error("constant", rule, value)


def check_integers(spec: LayerSpec) -> None:
    """Check that the canonical form can represent the integers of a spec. Raises SpecError."""
    for field in ("shape", "groups", "fan_in", "fan_out"):
        value = getattr(spec, field) or 0
        if max(value if isinstance(value, tuple) else (value,)) > MAX_INTEGER:
            raise make_spec_error(field, f"must be at most {MAX_INTEGER} in a model", value)
