"""Model specs: the JSON shapes that a client says a model in."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.core.dtypes import DTYPES, DtypeName
from service.core.errors import MISSING, FieldError, SpecError, refuse
from service.core.spec import LayerSpec, Seed, Shape, check_name
from service.core.violations import translate_violations

Fields = dict[str, Any]
Name = Annotated[str, AfterValidator(check_name)]
M = TypeVar("M", bound="Said")

#: What each tensor has to say itself.
OWN = frozenset({"shape", "seed", "name"})
#: What safetensors keeps for itself.
RESERVED = "__metadata__"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: More than anything that is said has: a hostile object has a million, each an error to describe.
MOST_FIELDS = 32
#: RFC 8785 writes numbers as doubles, which hold every integer up to here (RFC 7493, section 2.2).
LARGEST_INTEGER = 2**53 - 1


class Said(BaseModel):
    """What is read strictly, from JSON."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ModelSpec(Said):
    """A model: a seed, what its tensors have in common, and the tensors."""

    seed: Annotated[Seed, Field(description="0 to 2⁶⁴ - 1, as a number or as decimal text.")]
    stream: Annotated[int, Field(description="The version of the stream.")] = 1
    defaults: Annotated[
        Fields, Field(description="Fields of a layer spec, for the tensors that do not say them.")
    ] = {}
    tensors: Annotated[
        list[Fields],
        Field(
            description="Each with a name and a shape; and with fields of a layer spec, with a `constant`, "
            "or with `parts`, which are stacked along the first axis."
        ),
    ]


class ConstantSpec(Said):
    """A tensor, or a part of one, that is one value everywhere."""

    name: Name
    shape: Shape
    constant: float
    dtype: DtypeName = "float32"


class StackSpec(Said):
    """A tensor of parts."""

    name: Name
    shape: Shape
    parts: list[Fields]
    dtype: DtypeName = "float32"


def validate(kind: type[M], values: Mapping[str, object], what: str) -> M:
    """Read JSON-like values. Raises SpecError, with every field that is wrong."""
    check_fields(values, what)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SpecError(translate_violations(error, kind.model_fields, what)) from None


def check_fields(values: Mapping[str, object], what: str) -> None:
    """Check that there are not more fields than anything has, before each is looked at. Raises SpecError."""
    if len(values) > MOST_FIELDS:
        raise SpecError([FieldError.of(what, f"must have at most {MOST_FIELDS} fields", len(values))])


def check_defaults(defaults: Fields) -> None:
    """Check that defaults are fields which tensors can have in common. Raises SpecError."""
    check_fields(defaults, "defaults")
    for name, value in defaults.items():
        if name in OWN:
            raise refuse(
                f"defaults.{name}",
                "is no default: the model says the seed, and each tensor its name and shape",
                value,
            )
    said = {name: value for name, value in defaults.items() if name not in OWN}
    try:
        LayerSpec.parse({"shape": (1,), **said})
    except SpecError as error:
        raise error.within("defaults") from None


def check_tensor_name(name: object) -> None:
    """Check that a name can stand in a path and in a safetensors file. Raises SpecError.

    Of other names than text, the spec's own rules speak.
    """
    if name is MISSING or name == "":
        raise refuse("name", "is required of each tensor", name)
    if not isinstance(name, str):
        return
    if CONTROL.search(name):
        raise refuse("name", "must not have control characters", name)
    if name == RESERVED:
        raise refuse("name", "is kept for the metadata of safetensors", name)
    if ".." in name or any(segment in {"", "."} for segment in name.split("/")):
        raise refuse("name", "must not have .. in it, nor . or nothing between slashes", name)


def check_value(said: ConstantSpec) -> None:
    """Check that a dtype holds a constant. Raises SpecError."""
    largest = DTYPES[said.dtype].max
    if abs(said.constant) > largest:
        raise refuse("constant", f"must be at most {largest:g}, {said.dtype}'s largest", said.constant)


def check_integers(spec: LayerSpec) -> None:
    """Check that the canonical form can hold a spec's integers. Raises SpecError."""
    for field in ("shape", "groups", "fan_in", "fan_out"):
        value = getattr(spec, field) or 0
        if max(value if isinstance(value, tuple) else (value,)) > LARGEST_INTEGER:
            raise refuse(field, f"must be at most {LARGEST_INTEGER} in a model", value)
