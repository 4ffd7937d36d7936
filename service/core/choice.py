"""Choices: which scheme, mode, distribution and scale a spec comes to, and why."""

from typing import NamedTuple

from service.core.activations import ACTIVATIONS, Activation
from service.core.distributions import DistributionName
from service.core.errors import FieldError, SpecError
from service.core.scaling import compute_leaky_scale
from service.core.schemes import SCHEMES, SPELLINGS, Mode, Scheme, SchemeSpelling
from service.core.spec import LayerSpec


class Choice(NamedTuple):
    """What was chosen for a layer before its shape is looked at."""

    scheme: Scheme
    mode: Mode
    distribution: DistributionName
    scale: float
    reason: str


def choose_scheme(spec: LayerSpec) -> Choice:
    """Choose scheme, mode, distribution and scale, with the reason. Raises SpecError.

    >>> choice = choose_scheme(LayerSpec(shape=(784, 300), activation="selu"))
    >>> choice.scheme.name, choice.mode, choice.distribution, choice.scale
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
    return Choice(
        scheme,
        mode=spec.mode or scheme.mode,
        distribution=spec.distribution or spelling.distribution or scheme.distribution,
        scale=_choose_scale(spec, scheme),
        reason=_explain(spec, spelling, scheme, activation),
    )


def _choose_scale(spec: LayerSpec, scheme: Scheme) -> float:
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
    asked, carried = spec.distribution, spelling.distribution
    if asked is None or carried is None or asked == carried:
        return ()
    if (asked, carried) == ("truncated_normal", "normal"):
        return ()  # how to ask for what Keras and JAX mean by he_normal
    rule = f"contradicts scheme {spelling.name}, which carries {carried}"
    return (FieldError.of("distribution", rule, asked),)


def _explain(spec: LayerSpec, spelling: SchemeSpelling, scheme: Scheme, activation: Activation) -> str:
    if spelling.scheme is None:
        return f"{activation.reason} {scheme.reason}"
    reason = f"Scheme {spelling.name} was asked for. {scheme.reason}"
    if spelling.distribution == "normal" and spec.distribution is None:
        reason += (
            " Normal is not truncated here; for Keras' and JAX's, ask for distribution=truncated_normal."
        )
    return reason
