"""Parameters: scheme, fans and variance of a layer's weights, resolved from its spec."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from service.core.activations import ACTIVATIONS, Activation
from service.core.cut import compute_cut, round_interval
from service.core.dtypes import DTYPES, DtypeName
from service.core.errors import FieldError, SpecError, make_spec_error
from service.core.layer.conflicts import find_conflicts
from service.core.layer.fans import Fans, compute_fans, count_as, to_number
from service.core.layer.layouts import has_kernel_axes, resolve_layout
from service.core.layer.scaling import resolve_scaling
from service.core.layer.spec import LayerSpec
from service.core.layer.spread import SPREADS, Spread, format_number
from service.core.scheme_names import SPELLINGS, SchemeSpelling
from service.core.schemes import DISTRIBUTIONS, SCHEMES, DistributionName, Mode, Scheme, SchemeName
from service.core.signal.propagation import Propagation


class ResolvedScheme(NamedTuple):
    """The scheme, mode and distribution of a layer, and the reason. They do not depend on the shape.

    `mode` is None for schemes without a fan, `distribution` for those without draws of their own.
    """

    scheme: Scheme
    mode: Mode | None
    distribution: DistributionName | None
    reason: str


def resolve_scheme(spec: LayerSpec) -> ResolvedScheme:
    """Resolve scheme, mode and distribution, with the reason. Raises SpecError.

    >>> resolved = resolve_scheme(LayerSpec(shape=(784, 300), activation="selu"))
    >>> resolved.scheme.name, resolved.mode, resolved.distribution
    ('lecun', 'fan_in', 'normal')
    """
    activation, spelling = ACTIVATIONS[spec.activation], SPELLINGS[spec.scheme]
    scheme = spelling.scheme or SCHEMES[activation.scheme]
    distribution = _resolve_distribution(spec, spelling, scheme)
    if problems := list(find_conflicts(spec, spelling, scheme, distribution)):
        raise SpecError(problems)
    reason = _explain(spec, spelling, scheme, activation)
    return ResolvedScheme(scheme, spec.mode or scheme.mode, distribution, reason)


def _resolve_distribution(
    spec: LayerSpec, spelling: SchemeSpelling, scheme: Scheme
) -> DistributionName | None:
    given = spec.distribution or spelling.distribution
    if given or scheme.name != "explicit":
        return given or scheme.distribution
    defaults = [SPREADS[name].distributions[0] for name in spec.spreads]
    return defaults[0] if defaults else "uniform"  # of low and high


def _explain(spec: LayerSpec, spelling: SchemeSpelling, scheme: Scheme, activation: Activation) -> str:
    if spelling.scheme is None:
        return f"{activation.reason} {scheme.reason}"
    if scheme.name == "explicit":
        given = [*spec.spreads, *(() if spec.low is None else ("low and high",))]
        return f"{' and '.join(given)} {'is' if given == [*spec.spreads] else 'are'} set. {scheme.reason}"
    reason = f"Scheme {spelling.name} is set. {scheme.reason}"
    if spelling.distribution == "normal" and spec.distribution is None:
        reason += (
            " normal is not truncated here: for that of Keras and JAX, set distribution=truncated_normal."
        )
    return reason


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a layer's weights. `limit` is √(3 · variance) for every distribution.

    `variance` is that of the values, or the mean of the squares of a structured matrix. Schemes without a fan
    have neither mode nor scale, and no fans if the layout has no axes for them; those that draw nothing have
    no distribution. `parent_stddev`, `lower` and `upper` are those of the normal that a truncated normal is
    cut from. `low` and `high` are the ends of the values, null if the dtype alone limits them. `mean` is
    added to the draws. `propagation` is computed where it is asked for.
    """

    shape: tuple[int, ...]
    layout: str
    dtype: DtypeName
    activation: str
    scheme: SchemeName
    mode: Mode | None
    distribution: DistributionName | None
    fan_in: int | float | None
    fan_out: int | float | None
    fan_avg: float | None
    scale: float | None
    variance: float
    stddev: float
    limit: float
    mean: float
    parent_stddev: float | None
    lower: float | None
    upper: float | None
    low: float | None
    high: float | None
    gain: float
    formula: str
    reason: str
    reference: str
    propagation: Propagation | None


def resolve_parameters(spec: LayerSpec) -> Parameters:
    """Resolve scheme, fans and variance of a layer. Raises SpecError, with every broken rule.

    >>> parameters = resolve_parameters(LayerSpec(shape=(784, 300), activation="relu"))
    >>> parameters.scheme, parameters.distribution, parameters.formula
    ('he', 'uniform', 'σ² = 2 / fan_in = 2 / 784')
    """
    try:
        letters, fans = derive_fans(spec)
        resolved = resolve_scheme(spec)
    except SpecError:
        raise SpecError(_collect_errors(spec)) from None
    scaling = resolve_scaling(spec, resolved.scheme, resolved.mode, letters, fans)
    values = locate_values(spec, resolved.scheme, resolved.distribution, scaling.spread)
    check_range(spec, resolved, scaling.spread, values)
    return Parameters(
        shape=spec.shape,
        layout=letters,
        dtype=spec.dtype,
        activation=spec.activation,
        scheme=resolved.scheme.name,
        mode=resolved.mode,
        distribution=resolved.distribution,
        fan_in=fans and to_number(fans.fan_in),
        fan_out=fans and to_number(fans.fan_out),
        fan_avg=fans and fans.fan_avg,
        scale=scaling.scale,
        variance=scaling.spread.variance,
        stddev=scaling.spread.stddev,
        limit=scaling.spread.limit,
        **values._asdict(),
        gain=spec.gain or 1.0,
        formula=scaling.formula,
        reason=resolved.reason,
        reference=resolved.scheme.reference,
        propagation=None,
    )


def derive_fans(spec: LayerSpec) -> tuple[str, Fans | None]:
    """Return the letter of each axis, and the fans, or None without axes for them. Raises SpecError."""
    letters = resolve_layout(spec.layout, len(spec.shape))
    if spec.fans_as is not None:
        return letters, count_as(spec.fans_as, spec.shape)
    scheme = SPELLINGS[spec.scheme].scheme
    if scheme and "fan_in" not in scheme.options and not has_kernel_axes(letters):
        return letters, None
    return letters, count_connections(spec, letters)


def count_connections(spec: LayerSpec, letters: str) -> Fans:
    """Return the fans that signals meet: those of the shape, unless the spec sets them. Raises SpecError."""
    return compute_fans(
        spec.shape,
        letters,
        spec.groups,
        spec.fan_in,
        spec.fan_out,
        transposed=spec.transposed,
        stride=spec.stride or (),
    )


class Values(NamedTuple):
    """Where the values of a distribution lie. Everything is None or 0 that the distribution does not have."""

    mean: float
    parent_stddev: float | None = None
    lower: float | None = None
    upper: float | None = None
    low: float | None = None
    high: float | None = None


def locate_values(
    spec: LayerSpec, scheme: Scheme, distribution: DistributionName | None, spread: Spread
) -> Values:
    """Return the mean, the ends and the parent of a layer's values."""
    mean = spec.mean or 0.0
    if (constant := scheme.constant if spec.constant is None else spec.constant) is not None:
        return Values(constant)
    if distribution == "uniform" and spec.low is not None and spec.high is not None:
        return Values((spec.low + spec.high) / 2, low=spec.low, high=spec.high)
    if distribution == "uniform":
        return Values(mean, low=mean - spread.limit, high=mean + spread.limit)
    if distribution != "truncated_normal":
        return Values(mean)
    lower, upper = spec.ends
    parent = spec.parent_stddev or spread.stddev / compute_cut(lower, upper).stddev
    if spec.low is not None and spec.high is not None:
        return Values(mean, parent, lower, upper, spec.low, spec.high)
    return Values(mean, parent, lower, upper, mean + lower * parent, mean + upper * parent)


def check_range(spec: LayerSpec, resolved: ResolvedScheme, spread: Spread, values: Values) -> None:
    """Check that the dtype can represent the weights. Raises SpecError.

    The largest must not overflow, the standard deviation must not round to zero, and there must be a value
    between the ends.
    """
    dtype = DTYPES[spec.dtype]
    largest = find_largest(spec, resolved, spread, values)
    if not math.isfinite(spread.limit) or largest >= dtype.max:
        raise _make_range_error(
            spec, f"makes weights larger than {format_number(dtype.max)}, the largest {dtype.name}"
        )
    if resolved.scheme.is_drawn and spread.stddev < dtype.smallest_subnormal:
        smallest = format_number(dtype.smallest_subnormal)
        raise _make_range_error(
            spec, f"makes σ smaller than {smallest}, the smallest {dtype.name}: weights would be zero"
        )
    ends = None if values.low is None or values.high is None else (values.low, values.high)
    if ends and round_interval(*ends, spec.dtype, above_low=spec.low is None) is None:
        raise _make_range_error(spec, f"leaves no {dtype.name} between {ends[0]} and {ends[1]}")


def find_largest(spec: LayerSpec, resolved: ResolvedScheme, spread: Spread, values: Values) -> float:
    """Return an upper bound of the magnitudes of the weights."""
    if resolved.distribution is None:  # a constant, or an element of a structured matrix
        return abs(values.mean) if spec.constant is not None else spec.gain or 1.0
    peak = DISTRIBUTIONS[resolved.distribution].peak
    if resolved.distribution == "truncated_normal" and (spec.lower, spec.upper, spec.low) != (None,) * 3:
        peak = DISTRIBUTIONS["normal"].peak
    largest = (spec.stddev or 0.0) * peak if resolved.scheme.name == "sparse" else spread.stddev * peak
    return abs(values.mean) + largest


def _make_range_error(spec: LayerSpec, rule: str) -> SpecError:
    names = ("scale", "negative_slope", "gain", *SPREADS, "low", "mean", "constant")
    given = next((name for name in names if getattr(spec, name) is not None), "dtype")
    return make_spec_error(given, rule, getattr(spec, given))


def _collect_errors(spec: LayerSpec) -> list[FieldError]:
    errors: list[FieldError] = []
    for stage in (derive_fans, resolve_scheme):
        try:
            stage(spec)
        except SpecError as error:
            errors.extend(error.errors)
    return errors
