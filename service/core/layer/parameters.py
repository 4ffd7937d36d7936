"""Parameters: scheme, fans and variance of a layer's weights, resolved from its spec."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from service.core.activations import ACTIVATIONS, Activation
from service.core.dtypes import DTYPES, DtypeName
from service.core.errors import FieldError, SpecError, make_spec_error
from service.core.layer.fans import Fans, compute_fans
from service.core.layer.layouts import has_kernel_axes, resolve_layout
from service.core.layer.spec import LayerSpec
from service.core.layer.spread import (
    SCALING_FIELDS,
    SPREADS,
    Spread,
    SpreadName,
    format_formula,
    format_number,
)
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


def compute_leaky_scale(negative_slope: float) -> float:
    """Compute the scale of He's scheme for a leaky ReLU of slope a: 2 / (1 + a²) (He et al. 2015, eq. 15).

    >>> compute_leaky_scale(0.0), compute_leaky_scale(1.0)
    (2.0, 1.0)
    """
    return 2 / (1 + negative_slope * negative_slope)


class ResolvedScheme(NamedTuple):
    """The scheme, mode, distribution and scale of a layer, and the reason. They do not depend on the shape.

    `mode` and `scale` are None for scheme explicit.
    """

    scheme: Scheme
    mode: Mode | None
    distribution: DistributionName
    scale: float | None
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
        *_check_spread(spec, scheme),
        *_check_scale(spec, scheme),
        *_check_slope(spec, scheme),
        *_check_distribution(spec, spelling),
    ]
    if problems:
        raise SpecError(problems)
    defaults = [SPREADS[name].distributions[0] for name in spec.spreads]
    return ResolvedScheme(
        scheme,
        mode=spec.mode or scheme.mode,
        distribution=spec.distribution or spelling.distribution or (*defaults, scheme.distribution)[0],
        scale=_resolve_scale(spec, scheme),
        reason=_explain(spec, spelling, scheme, activation),
    )


def _resolve_scale(spec: LayerSpec, scheme: Scheme) -> float | None:
    if spec.negative_slope is not None:
        return compute_leaky_scale(spec.negative_slope)
    return scheme.scale if spec.scale is None else spec.scale


def _check_spread(spec: LayerSpec, scheme: Scheme) -> tuple[FieldError, ...]:
    if scheme.name == "explicit" and not spec.spreads:
        return (FieldError.of("scheme", f"explicit requires one of {', '.join(SPREADS)}", spec.scheme),)
    return tuple(
        FieldError.of(name, f"must not be combined with {conflict}", value)
        for name, value in spec.spreads.items()
        for conflict in _list_conflicts(spec, scheme, name)
    )


def _list_conflicts(spec: LayerSpec, scheme: Scheme, name: SpreadName) -> Iterator[str]:
    """Yield the fields of a spec that conflict with a spread field, and why."""
    if scheme.name != "explicit":
        yield f"scheme={spec.scheme}: it implies scheme explicit"
    names = list(SPREADS)
    for other in (*names[names.index(name) + 1 :], *SCALING_FIELDS):
        if (value := getattr(spec, other)) is not None:
            yield f"{other}={value}: both determine σ"
    known = SPREADS[name].distributions
    if spec.distribution is not None and spec.distribution not in known:
        yield f"distribution={spec.distribution}: it requires {' or '.join(known)}"


def _check_scale(spec: LayerSpec, scheme: Scheme) -> tuple[FieldError, ...]:
    if spec.scale is None or scheme.scale is None or scheme.name == "variance_scaling":
        return ()
    rule = f"is {scheme.scale:g} in scheme {scheme.name}: use scheme=variance_scaling to set another"
    return (FieldError.of("scale", rule, spec.scale),)


def _check_slope(spec: LayerSpec, scheme: Scheme) -> tuple[FieldError, ...]:
    if spec.negative_slope is None or scheme.name == "he" or spec.spreads:
        return ()
    but = f"and activation {spec.activation} uses" if spec.scheme == "auto" else "not"
    rule = f"applies to scheme he only, {but} {scheme.name}"
    return (FieldError.of("negative_slope", rule, spec.negative_slope),)


def _check_distribution(spec: LayerSpec, spelling: SchemeSpelling) -> tuple[FieldError, ...]:
    given, carried = spec.distribution, spelling.distribution
    if given is None or carried is None or given == carried:
        return ()
    if (given, carried) == ("truncated_normal", "normal"):
        return ()  # this is what Keras and JAX call he_normal
    rule = f"contradicts scheme {spelling.name}, whose distribution is {carried}"
    return (FieldError.of("distribution", rule, given),)


def _explain(spec: LayerSpec, spelling: SchemeSpelling, scheme: Scheme, activation: Activation) -> str:
    if spelling.scheme is None:
        return f"{activation.reason} {scheme.reason}"
    if spec.spreads:
        return f"{' and '.join(spec.spreads)} is set. {scheme.reason}"
    reason = f"Scheme {spelling.name} is set. {scheme.reason}"
    if spelling.distribution == "normal" and spec.distribution is None:
        reason += (
            " normal is not truncated here: for that of Keras and JAX, set distribution=truncated_normal."
        )
    return reason


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a layer's weights. `limit` is √(3 · variance) for every distribution.

    With scheme explicit, mode and scale are null, and so are the fans if the layout has no axes for them.
    """

    shape: tuple[int, ...]
    layout: str
    dtype: DtypeName
    activation: str
    scheme: SchemeName
    mode: Mode | None
    distribution: DistributionName
    fan_in: int | None
    fan_out: int | None
    fan_avg: float | None
    scale: float | None
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
    spread, formula = measure_spread(spec, resolved, fans)
    check_spread(spec, resolved, spread)
    return Parameters(
        shape=spec.shape,
        layout=letters,
        dtype=spec.dtype,
        activation=spec.activation,
        scheme=resolved.scheme.name,
        mode=resolved.mode,
        distribution=resolved.distribution,
        fan_in=fans and fans.fan_in,
        fan_out=fans and fans.fan_out,
        fan_avg=fans and fans.fan_avg,
        scale=resolved.scale,
        variance=spread.variance,
        stddev=spread.stddev,
        limit=spread.limit,
        formula=formula,
        reason=resolved.reason,
        reference=resolved.scheme.reference,
    )


def derive_fans(spec: LayerSpec) -> tuple[str, Fans | None]:
    """Return the letter of each axis, and the fans, or None if scheme explicit has none. Raises SpecError."""
    letters = resolve_layout(spec.layout, len(spec.shape))
    if spec.scheme == "explicit" and not has_kernel_axes(letters):
        return letters, None
    return letters, compute_fans(spec.shape, letters, spec.groups, spec.fan_in, spec.fan_out)


def measure_spread(spec: LayerSpec, resolved: ResolvedScheme, fans: Fans | None) -> tuple[Spread, str]:
    """Return the spread of the weights, and the formula of their variance."""
    if fans is None or resolved.mode is None or resolved.scale is None:
        ((name, value),) = spec.spreads.items()
        return SPREADS[name].measure(value), SPREADS[name].format_formula(value)
    fan = fans.select(resolved.mode)
    formula = format_formula(resolved.scale, resolved.mode, fan, spec.negative_slope)
    return Spread.of(resolved.scale, fan), formula


def check_spread(spec: LayerSpec, resolved: ResolvedScheme, spread: Spread) -> None:
    """Check that the dtype can represent the weights. Raises SpecError.

    The largest must not overflow, and the standard deviation must not round to zero.
    """
    dtype = DTYPES[spec.dtype]
    largest = spread.stddev * DISTRIBUTIONS[resolved.distribution].peak
    if not math.isfinite(spread.limit) or largest >= dtype.max:
        raise _make_spread_error(
            spec, f"makes weights larger than {format_number(dtype.max)}, the largest {dtype.name}"
        )
    if spread.stddev < dtype.smallest_subnormal:
        smallest = format_number(dtype.smallest_subnormal)
        raise _make_spread_error(
            spec, f"makes σ smaller than {smallest}, the smallest {dtype.name}: weights would be zero"
        )


def _make_spread_error(spec: LayerSpec, rule: str) -> SpecError:
    for field, value in (
        ("scale", spec.scale),
        ("negative_slope", spec.negative_slope),
        *spec.spreads.items(),
    ):
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
