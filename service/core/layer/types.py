"""Types of the fields of a layer spec: their limits, and how names and lists become canonical."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from service.core.activations import find_activation, suggest_activations
from service.core.errors import UNICODE, make_rule_error
from service.core.layer.query import parse_integer
from service.core.layer.spread import MAX_SPREAD, MIN_SPREAD
from service.core.scheme_names import find_scheme, list_schemes, suggest_schemes

MAX_AXES = 8
MAX_STRIDE = 2**16
MAX_PARAMETER = 1e6
MAX_END = 1e300  # of an interval
MAX_AXIS_LENGTH = 2**63 - 1
MAX_SEED = 2**64 - 1
MAX_NAME_BYTES = 1024


def _canonicalize_activation(value: object) -> str:
    if value is None:
        return "none"
    found = find_activation(value) if isinstance(value, str) else None
    if found is None:
        raise make_rule_error("must name an activation function", suggest_activations(value))
    return found.name


def canonicalize_scheme(value: object) -> str:
    """Return the canonical name of a scheme. Raises PydanticCustomError, with suggestions."""
    found = find_scheme(value) if isinstance(value, str) else None
    if found is None:
        rule = f"must be one of {list_schemes()}, or a name with the distribution such as he_normal"
        raise make_rule_error(f"{rule}; to set σ itself, use stddev", suggest_schemes(value))
    return found.name


def _freeze_list(value: object) -> object:
    # JSON has lists, not tuples. Sets and iterators have no stable order and fail validation.
    if not isinstance(value, (list, tuple)):
        return value
    if len(value) > MAX_AXES:  # before any of the items is validated
        raise make_rule_error(f"must have at most {MAX_AXES} axes")
    return tuple(value)


def _parse_seed(value: object) -> object:
    return parse_integer(value) if isinstance(value, str) else value


def check_name(name: str) -> str:
    """Check that a name is at most MAX_NAME_BYTES of valid UTF-8. Raises PydanticCustomError."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise make_rule_error(UNICODE) from None
    if len(encoded) > MAX_NAME_BYTES:
        raise make_rule_error(f"must be at most {MAX_NAME_BYTES} bytes of UTF-8")
    return name


Length = Annotated[int, Field(ge=1, le=MAX_AXIS_LENGTH)]
Shape = Annotated[tuple[Length, ...], Field(min_length=1, max_length=MAX_AXES), BeforeValidator(_freeze_list)]
# The shape of a constant, which may be a scalar or have no elements.
AnyLength = Annotated[int, Field(ge=0, le=MAX_AXIS_LENGTH)]
AnyShape = Annotated[tuple[AnyLength, ...], Field(max_length=MAX_AXES), BeforeValidator(_freeze_list)]
# The shape of a tensor with an axis, which may have no elements.
NonScalarShape = Annotated[
    tuple[AnyLength, ...], Field(min_length=1, max_length=MAX_AXES), BeforeValidator(_freeze_list)
]
Seed = Annotated[
    int, Field(ge=0, le=MAX_SEED), BeforeValidator(_parse_seed, json_schema_input_type=int | str | None)
]
End = Annotated[float, Field(ge=-MAX_END, le=MAX_END)]
GivenSpread = Annotated[float, Field(ge=MIN_SPREAD, le=MAX_SPREAD)]
ActivationText = Annotated[str, BeforeValidator(_canonicalize_activation, json_schema_input_type=str | None)]


def _freeze_one(value: object) -> object:
    """Return a number as a tuple of one, and a list of numbers as a tuple."""
    return _freeze_list(value if isinstance(value, (list, tuple)) or value is None else (value,))


SparsityAxis = Literal["I", "O"]
CenterName = Literal["same", "torch"]
_Step = Annotated[int, Field(ge=1, le=MAX_STRIDE)]
_Steps = Annotated[list[_Step], Field(min_length=1, max_length=3)]
Stride = Annotated[
    tuple[_Step, ...],
    Field(min_length=1, max_length=3),
    BeforeValidator(_freeze_one, json_schema_input_type=_Step | _Steps | None),
]
_Value = Annotated[float, Field(ge=-MAX_PARAMETER, le=MAX_PARAMETER)]
_Values = Annotated[list[_Value], Field(min_length=1, max_length=2)]
ParameterValues = Annotated[
    tuple[_Value, ...],
    Field(min_length=1, max_length=2),
    BeforeValidator(_freeze_one, json_schema_input_type=_Value | _Values | None),
]
