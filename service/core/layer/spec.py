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

from service.core.dtypes import DtypeName
from service.core.errors import (
    MAX_ERRORS,
    MISSING,
    SpecError,
    make_spec_error,
    translate_validation_errors,
)
from service.core.layer.fans import FrameworkName
from service.core.layer.layouts import LETTERS, SHORTHANDS, SPATIAL
from service.core.layer.query import PARSERS, parse_pairs
from service.core.layer.spread import DEFAULT_ENDS, SPREADS, SpreadName
from service.core.layer.types import (
    MAX_AXES,
    MAX_NAME_BYTES,
    ActivationText,
    CenterName,
    End,
    GivenSpread,
    Length,
    ParameterValues,
    Seed,
    Shape,
    SparsityAxis,
    Stride,
    canonicalize_scheme,
    check_name,
)
from service.core.schemes import DistributionName, Mode

#: Values that are the same as none.
NEUTRAL = {"gain": 1.0, "mean": 0.0}


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
    transposed: Annotated[
        bool,
        Field(
            description="Whether the kernel is of a transposed convolution: groups then divide its inputs."
        ),
    ] = False
    stride: Annotated[
        Stride | None,
        Field(description="The stride of a convolution, one number or one for each spatial axis. Default 1."),
    ] = None
    fan_in: Annotated[Length | None, Field(description="Inputs of each unit. Default: from the shape.")] = (
        None
    )
    fan_out: Annotated[
        Length | None, Field(description="Units that each input feeds. Default: from the shape.")
    ] = None
    fans_as: Annotated[
        FrameworkName | None,
        Field(description="Count the fans as a framework's own initializers do, from the shape alone."),
    ] = None
    activation: Annotated[
        ActivationText,
        CenterName,
        Field(description="The activation that follows, by its name in any framework.", examples=["relu"]),
    ] = "none"
    activation_parameter: Annotated[
        ParameterValues | None,
        Field(
            description="For `preserve`: the activation's slope, α, threshold or λ; for `rrelu` two slopes."
        ),
    ] = None
    scheme: Annotated[
        str,
        BeforeValidator(canonicalize_scheme),
        Field(
            description="`auto`, `glorot` (`xavier`), `he` (`kaiming`), `lecun`, `variance_scaling`, "
            "`preserve`, `explicit`, `orthogonal`, `delta_orthogonal`, `identity` (`eye`), `dirac`, "
            "`sparse`, `constant`, `zeros`, `ones`, or a name with a distribution, such as `he_uniform`. "
            "`auto` depends on the activation; it is `explicit` if `stddev`, `parent_stddev`, `limit` or "
            "`low` is set, and `constant` if `constant` is.",
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
    gain: Annotated[
        GivenSpread | None,
        Field(description="Multiplies σ, and the elements of structured kernels. Default 1."),
    ] = None
    distribution: Annotated[
        DistributionName | None,
        Field(description="Default: uniform; normal for `lecun`, `preserve` and `stddev`."),
    ] = None
    stddev: Annotated[
        GivenSpread | None,
        Field(description="σ of the weights, for any fans. Default distribution: normal."),
    ] = None
    parent_stddev: Annotated[
        GivenSpread | None,
        Field(description="σ of a truncated normal before truncation: `stddev` in Keras and JAX."),
    ] = None
    limit: Annotated[
        GivenSpread | None,
        Field(description="r of a uniform distribution on (-r, r), for any fans."),
    ] = None
    lower: Annotated[
        End | None,
        Field(description="Where a truncated normal is cut below, in σ of its parent. Default -2."),
    ] = None
    upper: Annotated[
        End | None, Field(description="Where a truncated normal is cut above, in σ of its parent. Default 2.")
    ] = None
    low: Annotated[
        End | None,
        Field(description="The least value: uniform on [low, high), or `a` of PyTorch's truncated normal."),
    ] = None
    high: Annotated[
        End | None,
        Field(description="The end of the values: uniform on [low, high), or `b` of PyTorch."),
    ] = None
    mean: Annotated[
        End | None,
        Field(description="Added to the values; of a truncated normal, its parent's mean. Default 0."),
    ] = None
    sparsity: Annotated[
        float | None,
        Field(ge=0, lt=1, description="For `sparse`: the share of zeros in each unit, rounded up."),
    ] = None
    sparsity_axis: Annotated[
        SparsityAxis,
        Field(
            description="For `sparse`: a unit is all inputs of an output (`I`), or all outputs of one input."
        ),
    ] = "I"
    center: Annotated[
        CenterName,
        Field(
            description="For `dirac`, `delta_orthogonal`: the tap (k - 1) // 2 of k, or k // 2 as in PyTorch."
        ),
    ] = "same"
    constant: Annotated[End | None, Field(description="For `constant`: the value of every element.")] = None
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
    def _normalize(self) -> Self:
        # So that links and canonical forms have one spelling.
        if self.scheme == "auto":
            given = self.spreads or self.low is not None
            scheme = "explicit" if given else "auto" if self.constant is None else "constant"
            object.__setattr__(self, "scheme", scheme)
        for name, default in NEUTRAL.items():
            if getattr(self, name) == default:
                object.__setattr__(self, name, None)
        if (self.lower, self.upper) == DEFAULT_ENDS:
            object.__setattr__(self, "lower", None)
            object.__setattr__(self, "upper", None)
        if self.stride is not None:
            object.__setattr__(self, "stride", self._shorten_stride(self.stride))
        return self

    def _shorten_stride(self, stride: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return one number for equal strides, and None for strides of 1, if there is one for each axis."""
        letters = SHORTHANDS.get(self.layout, (self.layout,) * MAX_AXES)[min(len(self.shape), 5) - 1]
        if len(set(stride)) > 1 or len(stride) not in {1, sum(letter in SPATIAL for letter in letters)}:
            return stride
        return None if stride[0] == 1 else stride[:1]

    @property
    def spreads(self) -> dict[SpreadName, float]:
        """The spread fields that are set, by name: at most one in a valid spec."""
        return {name: value for name in SPREADS if (value := getattr(self, name)) is not None}

    @property
    def ends(self) -> tuple[float, float]:
        """Where a truncated normal is cut, in σ of its parent: by lower and upper, or by low and high.

        >>> LayerSpec(shape=(3,), parent_stddev=0.25, low=-0.5, high=1.5, mean=0.5).ends
        (-4.0, 4.0)
        """
        if self.low is not None and self.high is not None and self.parent_stddev is not None:
            mean = self.mean or 0.0
            return (self.low - mean) / self.parent_stddev, (self.high - mean) / self.parent_stddev
        lower, upper = DEFAULT_ENDS
        return (lower if self.lower is None else self.lower), (upper if self.upper is None else self.upper)

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
