"""Parameters: scheme, fans and variance of a layer's weights, resolved from its spec."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

from service.core.activations import ACTIVATIONS, Activation
from service.core.dtypes import DTYPES, DtypeName
from service.core.errors import FieldError, SpecError, make_spec_error
from service.core.fans import Fans, compute_fans
from service.core.layouts import resolve_layout
from service.core.schemes import (
    DISTRIBUTIONS,
    SCHEMES,
    SPELLINGS,
    DistributionName,
    Mode,
    Scheme,
    SchemeName,
    SchemeSpelling,
)
from service.core.spec import LayerSpec


class Spread(NamedTuple):
    """How far weights spread around zero: variance = stddev², limit = √(3 · variance)."""

    variance: float
    stddev: float
    limit: float

    @classmethod
    def of(cls, scale: float, fan: float) -> Self:
        """Spread weights so that variance = scale / fan (He et al. 2015, equation 10).

        >>> Spread.of(3.0, 300)
        Spread(variance=0.01, stddev=0.1, limit=0.17320508075688773)
        """
        variance = scale / fan
        return cls(variance, math.sqrt(variance), math.sqrt(3 * variance))


def compute_leaky_scale(negative_slope: float) -> float:
    """Compute He's scale for a rectifier of slope a below zero: 2 / (1 + a²) (He et al. 2015, equation 15).

    >>> compute_leaky_scale(0.0), compute_leaky_scale(1.0)
    (2.0, 1.0)
    """
    return 2 / (1 + negative_slope * negative_slope)


def format_formula(scale: float, mode: Mode, fan: float, negative_slope: float | None = None) -> str:
    """Format how the variance was computed.

    >>> format_formula(2.0, "fan_in", 784)
    'σ² = 2 / fan_in = 2 / 784'
    >>> format_formula(1.6, "fan_in", 784, negative_slope=0.5)
    'σ² = (2 / (1 + 0.5²)) / fan_in = 1.6 / 784'
    """
    number = format_number(scale)
    symbol = number if negative_slope is None else _format_leaky_scale(negative_slope)
    return f"σ² = {symbol} / {mode} = {number} / {format_number(fan)}"


def format_number(value: float) -> str:
    """Format a number in the fewest digits that parse to the same number.

    >>> format_number(2.0), format_number(0.1), format_number(1e300)
    ('2', '0.1', '1e+300')
    """
    return repr(value).removesuffix(".0")


def _format_leaky_scale(negative_slope: float) -> str:
    slope = format_number(negative_slope)
    return f"(2 / (1 + {f'({slope})' if negative_slope < 0 else slope}²))"


class ResolvedScheme(NamedTuple):
    """The scheme of a layer, its mode, distribution and scale, and the reason. The shape plays no part."""

    scheme: Scheme
    mode: Mode
    distribution: DistributionName
    scale: float
    reason: str


def resolve_scheme(spec: LayerSpec) -> ResolvedScheme:
    """Resolve scheme, mode, distribution and scale, with the reason. Raises SpecError.

    >>> resolved = resolve_scheme(LayerSpec(shape=(784, 300), activation="selu"))
    >>> resolved.scheme.name, resolved.mode, resolved.distribution, resolved.scale
    ('lecun', 'fan_in', 'normal', 1.0)
    """
    activation, spelling = ACTIVATIONS[spec.activation], SPELLINGS[spec.scheme]
    scheme = spelling.scheme or SCHEMES[activation.scheme]
    problems = [
        *_check_scale(spec, scheme),
        *_check_slope(spec, scheme),
        *_check_distribution(spec, spelling),
    ]
    if problems:
        raise SpecError(problems)
    return ResolvedScheme(
        scheme,
        mode=spec.mode or scheme.mode,
        distribution=spec.distribution or spelling.distribution or scheme.distribution,
        scale=_resolve_scale(spec, scheme),
        reason=_explain(spec, spelling, scheme, activation),
    )


def _resolve_scale(spec: LayerSpec, scheme: Scheme) -> float:
    if spec.negative_slope is not None:
        return compute_leaky_scale(spec.negative_slope)
    return scheme.scale if spec.scale is None else spec.scale


def _check_scale(spec: LayerSpec, scheme: Scheme) -> tuple[FieldError, ...]:
    if spec.scale is None or scheme.name == "variance_scaling":
        return ()
    rule = (
        f"is {scheme.scale:g} by definition in scheme {scheme.name}: use scheme=variance_scaling for another"
    )
    return (FieldError.of("scale", rule, spec.scale),)


def _check_slope(spec: LayerSpec, scheme: Scheme) -> tuple[FieldError, ...]:
    if spec.negative_slope is None or scheme.name == "he":
        return ()
    but = f"and activation {spec.activation} takes" if spec.scheme == "auto" else "not"
    rule = f"is for scheme he only, {but} {scheme.name}"
    return (FieldError.of("negative_slope", rule, spec.negative_slope),)


def _check_distribution(spec: LayerSpec, spelling: SchemeSpelling) -> tuple[FieldError, ...]:
    given, carried = spec.distribution, spelling.distribution
    if given is None or carried is None or given == carried:
        return ()
    if (given, carried) == ("truncated_normal", "normal"):
        return ()  # he_normal as Keras and JAX define it
    rule = f"contradicts scheme {spelling.name}, which carries {carried}"
    return (FieldError.of("distribution", rule, given),)


def _explain(spec: LayerSpec, spelling: SchemeSpelling, scheme: Scheme, activation: Activation) -> str:
    if spelling.scheme is None:
        return f"{activation.reason} {scheme.reason}"
    reason = f"Scheme {spelling.name} was asked for. {scheme.reason}"
    if spelling.distribution == "normal" and spec.distribution is None:
        reason += (
            " Normal is not truncated here; for Keras' and JAX's, ask for distribution=truncated_normal."
        )
    return reason


@dataclass(frozen=True, slots=True)
class Parameters:
    """What was decided for a layer, and why. `limit` is √(3 · variance), whatever the distribution."""

    shape: tuple[int, ...]
    layout: str
    dtype: DtypeName
    activation: str
    scheme: SchemeName
    mode: Mode
    distribution: DistributionName
    fan_in: int
    fan_out: int
    fan_avg: float
    scale: float
    variance: float
    stddev: float
    limit: float
    formula: str
    reason: str
    reference: str


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
    fan = fans.select(resolved.mode)
    spread = Spread.of(resolved.scale, fan)
    check_spread(spec, resolved, spread)
    return Parameters(
        shape=spec.shape,
        layout=letters,
        dtype=spec.dtype,
        activation=spec.activation,
        scheme=resolved.scheme.name,
        mode=resolved.mode,
        distribution=resolved.distribution,
        fan_in=fans.fan_in,
        fan_out=fans.fan_out,
        fan_avg=fans.fan_avg,
        scale=resolved.scale,
        variance=spread.variance,
        stddev=spread.stddev,
        limit=spread.limit,
        formula=format_formula(resolved.scale, resolved.mode, fan, spec.negative_slope),
        reason=resolved.reason,
        reference=resolved.scheme.reference,
    )


def derive_fans(spec: LayerSpec) -> tuple[str, Fans]:
    """Derive the letter of each axis, and the fans. Raises SpecError."""
    letters = resolve_layout(spec.layout, len(spec.shape))
    return letters, compute_fans(spec.shape, letters, spec.groups, spec.fan_in, spec.fan_out)


def check_spread(spec: LayerSpec, resolved: ResolvedScheme, spread: Spread) -> None:
    """Check that the dtype can represent the weights. Raises SpecError.

    The largest must not overflow, and the standard deviation must not round to zero.
    """
    dtype = DTYPES[spec.dtype]
    largest = spread.stddev * DISTRIBUTIONS[resolved.distribution].peak
    if not math.isfinite(spread.limit) or largest >= dtype.max:
        raise _make_spread_error(
            spec, f"makes weights larger than {format_number(dtype.max)}, {dtype.name}'s largest"
        )
    if spread.stddev < dtype.smallest_subnormal:
        smallest = format_number(dtype.smallest_subnormal)
        raise _make_spread_error(
            spec, f"makes σ smaller than {smallest}, {dtype.name}'s smallest: weights would be zero"
        )


def _make_spread_error(spec: LayerSpec, rule: str) -> SpecError:
    for field, value in (("scale", spec.scale), ("negative_slope", spec.negative_slope)):
        if value is not None:
            return make_spec_error(field, rule, value)
    return make_spec_error("dtype", rule, spec.dtype)


def _collect_errors(spec: LayerSpec) -> list[FieldError]:
    errors: list[FieldError] = []
    for stage in (derive_fans, resolve_scheme):
        try:
            stage(spec)
        except SpecError as error:
            errors.extend(error.errors)
    return errors
