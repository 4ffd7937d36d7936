"""Scaling: the scale of a scheme, and the spread that follows from it and from the fans."""

import math
from typing import NamedTuple

from service.core.cut import compute_cut
from service.core.layer.fans import Fans
from service.core.layer.spec import LayerSpec
from service.core.layer.spread import (
    SPREADS,
    Spread,
    format_leaky_scale,
    format_number,
    spread_limit,
)
from service.core.layer.structure import measure_structure
from service.core.schemes import Mode, Scheme
from service.core.signal.moments import Moments, find_moments


class Scaling(NamedTuple):
    """The spread of a layer's weights, the formula of their variance, and the scale of the scheme, if any."""

    spread: Spread
    formula: str
    scale: float | None = None


def resolve_scaling(
    spec: LayerSpec, scheme: Scheme, mode: Mode | None, letters: str, fans: Fans | None
) -> Scaling:
    """Return the scale, spread and formula of a layer whose scheme is resolved. Raises SpecError."""
    if scheme.name == "explicit":
        return measure_given(spec)
    mean_square = measure_structure(spec, scheme, letters)
    if mean_square is not None:
        return Scaling(Spread.of(mean_square, 1), f"{scheme.formula} = {format_number(mean_square)}")
    if mode is None or fans is None or scheme.scale is None:  # constants
        return Scaling(Spread(0.0, 0.0, 0.0), scheme.formula)
    scale = compute_scale(spec, scheme.scale)
    gain = spec.gain or 1.0
    squared = "" if spec.gain is None else f"{format_number(gain)}² · "
    if scheme.name == "preserve":
        moments = find_moments(spec.activation, spec.activation_parameter) or Moments(1.0, 1.0)
        fan, symbols, numbers = weigh_fans(fans, mode, moments)
        formula = f"σ² = {squared}1 / {symbols} = {squared}1 / {numbers}"
    else:
        fan = fans.select(mode)
        symbol = format_number(scale)
        if spec.negative_slope is not None:
            symbol = format_leaky_scale(spec.negative_slope)
        formula = f"σ² = {squared}{symbol} / {mode} = {squared}{format_number(scale)} / {format_number(fan)}"
    return Scaling(Spread.of(gain * gain * scale, fan), formula, scale)


def compute_scale(spec: LayerSpec, default: float) -> float:
    """Return the scale of a scheme, before the gain.

    For a leaky ReLU of slope a it is 2 / (1 + a²) (He et al. 2015, equation 15).

    >>> compute_scale(LayerSpec(shape=(4, 4), negative_slope=1.0), 2.0)
    1.0
    """
    if spec.negative_slope is not None:
        return 2 / (1 + spec.negative_slope * spec.negative_slope)
    return default if spec.scale is None else spec.scale


def weigh_fans(fans: Fans, mode: Mode, moments: Moments) -> tuple[float, str, str]:
    """Return the fan of scheme preserve, fan_in · E[φ²], fan_out · E[φ'²] or a mean, and its formulas.

    >>> weigh_fans(Fans(784, 300), "fan_in", Moments(0.5, 0.5))
    (392.0, '(fan_in · E[φ²])', '(784 · 0.5)')
    """
    fan_in, fan_out = fans.select("fan_in"), fans.select("fan_out")
    weighted = {"fan_in": fan_in * moments.signal, "fan_out": fan_out * moments.gradient}
    forward = f"{format_number(fan_in)} · {format_number(moments.signal)}"
    backward = f"{format_number(fan_out)} · {format_number(moments.gradient)}"
    if mode == "fan_in":
        return weighted[mode], "(fan_in · E[φ²])", f"({forward})"
    if mode == "fan_out":
        return weighted[mode], "(fan_out · E[φ'²])", f"({backward})"
    if mode == "fan_avg":
        symbols = "((fan_in · E[φ²] + fan_out · E[φ'²]) / 2)"
        return (weighted["fan_in"] + weighted["fan_out"]) / 2, symbols, f"(({forward} + {backward}) / 2)"
    symbols = "√(fan_in · E[φ²] · fan_out · E[φ'²])"
    return math.sqrt(weighted["fan_in"] * weighted["fan_out"]), symbols, f"√({forward} · {backward})"


def measure_given(spec: LayerSpec) -> Scaling:
    """Return the spread that a spec sets itself."""
    if spec.spreads:
        ((name, value),) = spec.spreads.items()
        row = SPREADS[name]
        unit = compute_cut(*spec.ends).stddev if row.of_parent else 1.0
        return Scaling(row.measure(unit * value), row.format_formula(value, unit))
    low, high = spec.low or 0.0, spec.high or 0.0
    numbers = f"({format_number(high)} - {format_number(low)})² / 12"
    return Scaling(spread_limit((high - low) / 2), f"σ² = (high - low)² / 12 = {numbers}")
