"""Moments of an activation φ and its derivative for an input z of N(0, 1), and those with parameters.

σ is computed from them, so they must not differ between machines. They therefore use arithmetic that IEEE 754
rounds correctly, and `decimal` for Φ and exp; never the C library.
"""

import decimal
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from service.core.cut import CONTEXT, compute_density, compute_tail


class Moments(NamedTuple):
    """E[φ(z)²] and E[φ'(z)²] for z of N(0, 1)."""

    signal: float
    gradient: float


# Of an ELU with α = 1, for z < 0: E[(exp(z) - 1)²] and E[exp(2z)].
ELU_SIGNAL, ELU_GRADIENT = 0.14494541749292386, 0.16810200122317061
#: Below it exp(1 / (2α²)) leaves the range of decimal.
MIN_ALPHA = 1e-6


@dataclass(frozen=True, slots=True)
class Parametric:
    """An activation with parameters: their defaults and meaning, and the moments that follow from them."""

    defaults: tuple[float, ...]
    meaning: str
    compute: Callable[..., Moments]
    least: float = -math.inf


def moments_of_slope(slope: float) -> Moments:
    """Return the moments of a ReLU with a slope below zero: (1 + a²) / 2 both.

    >>> moments_of_slope(0.2)
    Moments(signal=0.52, gradient=0.52)
    """
    half = (1 + slope * slope) / 2
    return Moments(half, half)


def moments_of_random_slope(lower: float, upper: float) -> Moments:
    """Return the moments of a ReLU whose slope is uniform on [lower, upper], as RReLU in training.

    >>> moments_of_random_slope(0.5, 0.5)
    Moments(signal=0.625, gradient=0.625)
    """
    half = (1 + (lower * lower + lower * upper + upper * upper) / 3) / 2
    return Moments(half, half)


def moments_of_elu(alpha: float) -> Moments:
    """Return the moments of an ELU: φ = α · (exp(z) - 1) below zero."""
    square = alpha * alpha
    return Moments(0.5 + square * ELU_SIGNAL, 0.5 + square * ELU_GRADIENT)


def moments_of_celu(alpha: float) -> Moments:
    """Return the moments of a CELU: φ = α · (exp(z / α) - 1) below zero.

    >>> moments_of_celu(1.0)
    Moments(signal=0.6449454174929239, gradient=0.6681020012231706)
    """
    with decimal.localcontext(CONTEXT):
        a = Decimal(alpha)
        # E[exp(c·z); z < 0] = exp(c² / 2) · Φ(-c)
        twice, once = ((c * c / 2).exp() * compute_tail(c) for c in (2 / a, 1 / a))
        half = Decimal("0.5")
        return Moments(float(half + a * a * (twice - 2 * once + half)), float(half + twice))


def moments_of_threshold(threshold: float, value: float = 0.0) -> Moments:
    """Return the moments of φ = z above a threshold, and a value elsewhere.

    >>> moments_of_threshold(0.0)
    Moments(signal=0.5, gradient=0.5)
    """
    with decimal.localcontext(CONTEXT):
        tail, moment = _measure_tail(threshold)
        return Moments(float(moment + (1 - tail) * Decimal(value) ** 2), float(tail))


def moments_of_hard_shrink(width: float) -> Moments:
    """Return the moments of φ = z outside (-λ, λ), and 0 inside.

    >>> moments_of_hard_shrink(0.5)
    Moments(signal=0.9691404042162732, gradient=0.6170750774519738)
    """
    with decimal.localcontext(CONTEXT):
        tail, moment = _measure_tail(width)
        return Moments(float(2 * moment), float(2 * tail))


def moments_of_soft_shrink(width: float) -> Moments:
    """Return the moments of φ = z ∓ λ outside (-λ, λ), and 0 inside.

    >>> moments_of_soft_shrink(0.5)
    Moments(signal=0.41927852005066774, gradient=0.6170750774519738)
    """
    with decimal.localcontext(CONTEXT):
        tail, moment = _measure_tail(width)
        # ∫ (z - λ)² = ∫ z² - 2λ ∫ z + λ² ∫ 1 above λ, where λ ∫ z = moment - tail.
        return Moments(float(2 * (2 * tail - moment + tail * Decimal(width) ** 2)), float(2 * tail))


def _measure_tail(bound: float) -> tuple[Decimal, Decimal]:
    """Return P(z > bound) and E[z²; z > bound]."""
    tail = compute_tail(Decimal(bound))
    return tail, Decimal(bound) * compute_density(Decimal(bound)) + tail


#: The moments of activations without a parameter, computed with 30 digits by mpmath and rounded. Those of
#: gated units are for two independent inputs, and for the mean of the two slopes. Softmax and its kin have
#: none, since they depend on all units together.
MOMENTS: dict[str, Moments] = {
    "none": Moments(1.0, 1.0),
    "linear": Moments(1.0, 1.0),
    "tanh": Moments(0.3942944903978412, 0.4644029024482682),
    "sigmoid": Moments(0.293379035858093, 0.04483624135019437),
    "hard_sigmoid": Moments(0.2776390910565126, 0.02770278344268722),
    "sparse_sigmoid": Moments(0.3790146377404283, 0.1706723730342715),
    "hard_tanh": Moments(0.5160585509617133, 0.6826894921370859),
    "softsign": Moments(0.1830140212665475, 0.2276713404221825),
    "sin": Moments(0.4323323583816937, 0.5676676416183063),
    "laplace": Moments(0.1994417855105193, 0.3076225703314745),
    "exponential": Moments(7.38905609893065, 7.38905609893065),
    "relu": Moments(0.5, 0.5),
    "relu6": Moments(0.4999999980752705, 0.4999999990134124),
    "gelu": Moments(0.4252214825702987, 0.4558508656492871),
    "gelu_tanh": Moments(0.4251937110330995, 0.4558178459629506),
    "gelu_10": Moments(0.4252214825702987, 0.4558508656492871),
    "quick_gelu": Moments(0.4219528068969808, 0.4495492004791021),
    "silu": Moments(0.3557755198173522, 0.3794823516328293),
    "hard_silu": Moments(0.3315673751379077, 0.3585315171786052),
    "mish": Moments(0.4523421923758828, 0.4790837583739698),
    "hard_mish": Moments(0.5642981915444151, 0.6566151753007762),
    "softplus": Moments(0.9212459088593004, 0.293379035858093),
    "relu_squared": Moments(1.5, 2.0),
    "xielu": Moments(1.735515135742504, 2.07033528248161),
    "sqrtsoftplus": Moments(0.8060591833474398, 0.08138089451400068),
    "squareplus": Moments(1.5, 0.2893153853559728),
    "sparse_plus": Moments(0.5248435053873499, 0.3790146377404283),
    "log_sigmoid": Moments(0.9212459088593004, 0.293379035858093),
    "tanh_shrink": Moments(0.1828834711935235, 0.2529918832439506),
    "glu": Moments(0.293379035858093, 0.1691076386041437),
    "reglu": Moments(0.5, 0.5),
    "geglu": Moments(0.4252214825702987, 0.4405361741097929),
    "swiglu": Moments(0.3557755198173522, 0.3676289357250907),
    "selu": Moments(1.0, 1.071574992455799),
}

#: The activations with parameters, by name.
PARAMETRIC: dict[str, Parametric] = {
    "leaky_relu": Parametric((0.01,), "the slope below zero", moments_of_slope),
    "prelu": Parametric((0.25,), "the slope below zero", moments_of_slope),
    "rrelu": Parametric(
        (1 / 8, 1 / 3), "the least and the largest slope below zero", moments_of_random_slope
    ),
    "elu": Parametric((1.0,), "α", moments_of_elu),
    "celu": Parametric((1.0,), "α, above 0", moments_of_celu, least=MIN_ALPHA),
    "threshold": Parametric((0.0, 0.0), "the threshold, and the value below it", moments_of_threshold),
    "hard_shrink": Parametric((0.5,), "λ, at least 0", moments_of_hard_shrink, least=0.0),
    "soft_shrink": Parametric((0.5,), "λ, at least 0", moments_of_soft_shrink, least=0.0),
}


@lru_cache(1024)
def find_moments(activation: str, parameter: tuple[float, ...] | None = None) -> Moments | None:
    """Return the moments of an activation, by its canonical name. None if it has none.

    A parameter that is not given has its default, as in PyTorch.

    >>> find_moments("relu"), find_moments("leaky_relu", (1.0,)), find_moments("softmax")
    (Moments(signal=0.5, gradient=0.5), Moments(signal=1.0, gradient=1.0), None)
    """
    if row := PARAMETRIC.get(activation):
        given = parameter or ()
        return row.compute(*given, *row.defaults[len(given) :])
    return MOMENTS.get(activation)
