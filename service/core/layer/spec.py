"""Layer specs: parse and validate the description of a layer's weights in a request."""

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from service.core.activations import find_activation, suggest_activations
from service.core.dtypes import DtypeName
from service.core.errors import (
    MAX_ERRORS,
    MISSING,
    UNICODE,
    SpecError,
    make_rule_error,
    make_spec_error,
    translate_validation_errors,
)
from service.core.layer.layouts import LETTERS
from service.core.layer.query import PARSERS, parse_integer, parse_pairs
from service.core.layer.spread import MAX_SPREAD, MIN_SPREAD, SPREADS, SpreadName
from service.core.schemes import DistributionName, Mode, find_scheme, list_schemes, suggest_schemes

MAX_AXES = 8
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


def _canonicalize_scheme(value: object) -> str:
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
Seed = Annotated[
    int, Field(ge=0, le=MAX_SEED), BeforeValidator(_parse_seed, json_schema_input_type=int | str | None)
]
GivenSpread = Annotated[float, Field(ge=MIN_SPREAD, le=MAX_SPREAD)]
ActivationText = Annotated[str, BeforeValidator(_canonicalize_activation, json_schema_input_type=str | None)]


class LayerSpec(BaseModel):
    """A layer's weights: shape, activation, scheme and dtype, and the seed and name that they are drawn from.

    Activations and schemes have their canonical names.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    shape: Annotated[Shape, Field(description="Kernel shape: 1 to 8 axes.", examples=[[784, 300]])]
    layout: Annotated[
        str,
        Field(
            description="One letter for each axis: I in, O out, D H W spatial, B or G stacked kernels. "
            "`keras` and `torch` stand for the order of that framework, for ranks 1 to 5.",
            json_schema_extra={"pattern": f"^(keras|torch|[{LETTERS}]{{1,{MAX_AXES}}})$"},
        ),
    ] = "keras"
    groups: Annotated[Length, Field(description="The number of groups of a grouped convolution.")] = 1
    fan_in: Annotated[Length | None, Field(description="Inputs of each unit. Default: from the shape.")] = (
        None
    )
    fan_out: Annotated[
        Length | None, Field(description="Units that each input feeds. Default: from the shape.")
    ] = None
    activation: Annotated[
        ActivationText,
        Field(description="The activation that follows, by its name in any framework.", examples=["relu"]),
    ] = "none"
    scheme: Annotated[
        str,
        BeforeValidator(_canonicalize_scheme),
        Field(
            description="`auto`, `glorot` (`xavier`), `he` (`kaiming`), `lecun`, `variance_scaling`, "
            "`explicit`, or a name with a distribution, such as `he_uniform`. `auto` depends on the "
            "activation, and is `explicit` if `stddev`, `parent_stddev` or `limit` is set.",
            examples=["he_uniform"],
        ),
    ] = "auto"
    scale: Annotated[
        float | None, Field(gt=0, description="For `variance_scaling`: variance = scale / fan. Default 1.")
    ] = None
    mode: Annotated[
        Mode | None, Field(description="The fan that divides the scale. Default: from the scheme.")
    ] = None
    negative_slope: Annotated[
        float | None, Field(description="Slope a of a leaky ReLU: the scale of `he` becomes 2 / (1 + a²).")
    ] = None
    distribution: Annotated[
        DistributionName | None, Field(description="Default: uniform; normal for `lecun` and `stddev`.")
    ] = None
    stddev: Annotated[
        GivenSpread | None,
        Field(description="σ of the weights, for any fans. Default distribution: normal."),
    ] = None
    parent_stddev: Annotated[
        GivenSpread | None,
        Field(description="σ of a truncated normal before truncation at ±2σ: `stddev` in Keras and JAX."),
    ] = None
    limit: Annotated[
        GivenSpread | None,
        Field(description="r of a uniform distribution on (-r, r), for any fans."),
    ] = None
    dtype: DtypeName = "float32"
    seed: Annotated[Seed | None, Field(description="0 to 2⁶⁴ - 1, as a number or as decimal text.")] = None
    name: Annotated[
        str,
        AfterValidator(check_name),
        Field(
            description="The tensor's name: other names get other weights. At most 1024 bytes of UTF-8.",
            examples=["encoder.0.mlp.fc1.weight"],
            json_schema_extra={"maxLength": MAX_NAME_BYTES},
        ),
    ] = ""

    @model_validator(mode="after")
    def _imply_scheme(self) -> Self:
        # So that links and canonical forms have one spelling.
        if self.scheme == "auto" and self.spreads:
            object.__setattr__(self, "scheme", "explicit")
        return self

    @property
    def spreads(self) -> dict[SpreadName, float]:
        """The spread fields that are set, by name: at most one in a valid spec."""
        return {name: value for name in SPREADS if (value := getattr(self, name)) is not None}

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """Parse a spec from JSON-like values. Raises SpecError, with every invalid field.

        >>> LayerSpec.parse({"shape": [784, 300], "activation": "ReLU", "seed": "42"}).seed
        42
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SpecError(translate_validation_errors(error, cls.model_fields)) from None

    @classmethod
    def parse_query(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Parse a spec from the decoded parameters of a URL. Raises SpecError.

        >>> LayerSpec.parse_query([("shape", "784,300"), ("activation", "relu")]).shape
        (784, 300)
        """
        values, problems = parse_pairs(pairs, PARSERS)
        try:
            spec = cls.model_validate(values)
        except ValidationError as error:
            problems = [*translate_validation_errors(error, cls.model_fields), *problems]
            raise SpecError(problems[:MAX_ERRORS]) from None
        if problems:
            raise SpecError(problems[:MAX_ERRORS])
        return spec


def check_element_count(shape: tuple[int, ...], max_elements: int) -> int:
    """Return the exact number of elements of a tensor. Raises SpecError if it is above the limit.

    >>> check_element_count((784, 300), max_elements=10**9)
    235200
    """
    count = math.prod(shape)
    if count > max_elements:
        raise make_spec_error(
            "shape", f"must have at most {max_elements} elements in total, not {count}", shape
        )
    return count


def require_seed(spec: LayerSpec) -> int:
    """Return the seed. Raises SpecError if there is none."""
    if spec.seed is None:
        raise make_spec_error("seed", "is required for weights", MISSING)
    return spec.seed
