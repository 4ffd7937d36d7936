"""Spread: variance, standard deviation and limit of weights, from scale and fan or a field of the spec."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from service.core.scheme_names import find_scheme
from service.core.schemes import OPTIONS, DistributionName

SpreadName = Literal["stddev", "parent_stddev", "limit"]

#: Range of a spread field, whose square must be a float64 of full precision.
MIN_SPREAD, MAX_SPREAD = 1e-150, 1e150
#: Where a truncated normal is cut unless the spec says otherwise, in σ of its parent.
DEFAULT_ENDS = (-2.0, 2.0)


class Spread(NamedTuple):
    """The spread of weights around zero: variance = stddev², limit = √(3 · variance)."""

    variance: float
    stddev: float
    limit: float

    @classmethod
    def of(cls, scale: float, fan: float) -> Self:
        """Return the spread with variance = scale / fan (He et al. 2015, equation 10).

        >>> Spread.of(3.0, 300)
        Spread(variance=0.01, stddev=0.1, limit=0.17320508075688773)
        """
        variance = scale / fan
        return cls(variance, math.sqrt(variance), math.sqrt(3 * variance))


def spread_stddev(stddev: float) -> Spread:
    """Return the spread of a standard deviation.

    √(fl(x · x)) is x for every float x whose square is in range, so stddev is exactly the argument.

    >>> spread_stddev(0.02).stddev
    0.02
    """
    return Spread.of(stddev * stddev, 1)


def spread_limit(limit: float) -> Spread:
    """Return the spread of a uniform distribution on (-limit, limit): σ² = limit² / 3.

    √(3 · variance) is the limit, bit for bit, if a float near limit² / 3 makes that possible.

    >>> spread_limit(0.05) == Spread.of(spread_limit(0.05).variance, 1)
    True
    """
    nearest = limit * limit / 3
    around = (nearest, math.nextafter(nearest, 0), math.nextafter(nearest, math.inf))
    variance = next((one for one in around if math.sqrt(3 * one) == limit), nearest)
    return Spread(variance, math.sqrt(variance), limit)


@dataclass(frozen=True, slots=True)
class SpreadField:
    """A field of a spec that sets the spread directly, and so implies scheme explicit.

    `distributions` are the allowed ones, the default first. `formula` is σ² in terms of the field. A field
    `of_parent` is multiplied by σ of the cut unit normal, which is `unit` in the formula.
    """

    name: SpreadName
    distributions: tuple[DistributionName, ...]
    formula: str
    measure: Callable[[float], Spread]
    of_parent: bool = False

    def format_formula(self, value: float, unit: float = 1.0) -> str:
        """Format how the variance is computed from a value of the field.

        >>> SPREADS["limit"].format_formula(0.05)
        'σ² = limit² / 3 = 0.05² / 3'
        """
        formula = self.formula.replace("unit", format_number(unit))
        return f"σ² = {formula} = {formula.replace(self.name, format_number(value))}"


SPREADS: dict[SpreadName, SpreadField] = {
    row.name: row
    for row in (
        SpreadField("stddev", ("normal", "truncated_normal", "uniform"), "stddev²", spread_stddev),
        SpreadField(
            "parent_stddev",
            ("truncated_normal",),
            "(unit · parent_stddev)²",
            spread_stddev,
            of_parent=True,
        ),
        SpreadField("limit", ("uniform",), "limit² / 3", spread_limit),
    )
}


#: The fields that determine the spread of a scheme. They conflict with a spread field.
SCALING_FIELDS = (
    "scale",
    "mode",
    "negative_slope",
    "gain",
    "activation_parameter",
    "fan_in",
    "fan_out",
    "fans_as",
)
#: The fields that set values without a scheme. They go with a spread field of the same tensor.
VALUE_FIELDS = (*SPREADS, "low", "high", "mean", "constant", "sparsity", "sparsity_axis")


def merge_defaults(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's defaults, overridden by the fields of a tensor.

    Fields of the tensor that set the values replace the scheme, scaling and value fields of the defaults. A
    scheme of the tensor replaces the value fields, and the fields that this scheme does not allow.

    >>> merge_defaults({"layout": "torch", "stddev": 0.02}, {"scheme": "he"})
    {'layout': 'torch', 'scheme': 'he'}
    >>> merge_defaults({"distribution": "normal", "gain": 2.0}, {"scheme": "orthogonal"})
    {'gain': 2.0, 'scheme': 'orthogonal'}
    """
    replaced: frozenset[str] = frozenset()
    if any(fields.get(name) is not None for name in (*SPREADS, "low", "high", "constant")):
        replaced = frozenset(("scheme", *SCALING_FIELDS, *VALUE_FIELDS))
    elif isinstance(name := fields.get("scheme"), str):
        replaced = frozenset(VALUE_FIELDS)
        if (found := find_scheme(name)) and found.scheme:
            replaced |= OPTIONS - found.scheme.options
    return {name: value for name, value in defaults.items() if name not in replaced} | dict(fields)


def format_number(value: float) -> str:
    """Format a number in the fewest digits that parse to the same number.

    >>> format_number(2.0), format_number(0.1), format_number(1e300)
    ('2', '0.1', '1e+300')
    """
    return repr(value).removesuffix(".0")


def format_leaky_scale(negative_slope: float) -> str:
    """Format the scale of He's scheme for a leaky ReLU.

    >>> format_leaky_scale(0.5), format_leaky_scale(-0.5)
    ('(2 / (1 + 0.5²))', '(2 / (1 + (-0.5)²))')
    """
    slope = format_number(negative_slope)
    return f"(2 / (1 + {f'({slope})' if negative_slope < 0 else slope}²))"
