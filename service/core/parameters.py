"""Parameters: everything that is decided about a layer's weights before one of them is drawn."""

import math
from dataclasses import dataclass

from service.core.choice import Choice, choose_scheme
from service.core.distributions import DISTRIBUTIONS, DistributionName
from service.core.dtypes import DTYPES, DtypeName
from service.core.errors import FieldError, SpecError, refuse
from service.core.fans import Fans, compute_fans
from service.core.layout import resolve_layout
from service.core.scaling import Spread, format_formula, format_number
from service.core.schemes import Mode, SchemeName
from service.core.spec import LayerSpec


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


def decide(spec: LayerSpec) -> Parameters:
    """Decide scheme, fans and spread for a layer. Raises SpecError, with every rule that is broken.

    >>> decided = decide(LayerSpec(shape=(784, 300), activation="relu"))
    >>> decided.scheme, decided.distribution, decided.formula
    ('he', 'uniform', 'σ² = 2 / fan_in = 2 / 784')
    """
    try:
        letters, fans = derive_fans(spec)
        choice = choose_scheme(spec)
    except SpecError:
        raise SpecError(_collect_errors(spec)) from None
    fan = fans.select(choice.mode)
    spread = Spread.of(choice.scale, fan)
    check_spread(spec, choice, spread)
    return Parameters(
        shape=spec.shape,
        layout=letters,
        dtype=spec.dtype,
        activation=spec.activation,
        scheme=choice.scheme.name,
        mode=choice.mode,
        distribution=choice.distribution,
        fan_in=fans.fan_in,
        fan_out=fans.fan_out,
        fan_avg=fans.fan_avg,
        scale=choice.scale,
        variance=spread.variance,
        stddev=spread.stddev,
        limit=spread.limit,
        formula=format_formula(choice.scale, choice.mode, fan, spec.negative_slope),
        reason=choice.reason,
        reference=choice.scheme.reference,
    )


def derive_fans(spec: LayerSpec) -> tuple[str, Fans]:
    """Derive the letter of each axis, and the fans. Raises SpecError."""
    letters = resolve_layout(spec.layout, len(spec.shape))
    return letters, compute_fans(spec.shape, letters, spec.groups, spec.fan_in, spec.fan_out)


def check_spread(spec: LayerSpec, choice: Choice, spread: Spread) -> None:
    """Check that the dtype holds every value that may be drawn. Raises SpecError.

    The largest must not overflow, and the standard deviation must not round to zero.
    """
    dtype = DTYPES[spec.dtype]
    largest = spread.stddev * DISTRIBUTIONS[choice.distribution].peak
    if not math.isfinite(spread.limit) or largest >= dtype.max:
        raise _refuse_spread(
            spec, f"makes weights larger than {format_number(dtype.max)}, {dtype.name}'s largest"
        )
    if spread.stddev < dtype.smallest_subnormal:
        smallest = format_number(dtype.smallest_subnormal)
        raise _refuse_spread(
            spec, f"makes σ smaller than {smallest}, {dtype.name}'s smallest: weights would be zero"
        )


def _refuse_spread(spec: LayerSpec, rule: str) -> SpecError:
    for field, value in (("scale", spec.scale), ("negative_slope", spec.negative_slope)):
        if value is not None:
            return refuse(field, rule, value)
    return refuse("dtype", rule, spec.dtype)


def _collect_errors(spec: LayerSpec) -> list[FieldError]:
    errors: list[FieldError] = []
    for stage in (derive_fans, choose_scheme):
        try:
            stage(spec)
        except SpecError as error:
            errors.extend(error.errors)
    return errors
