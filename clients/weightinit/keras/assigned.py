"""Detect variables that the author of a model assigned after their layers had initialized them.

Keras' random initializers keep their seed and draw the same values at each call. So a variable's initial
values can be drawn again and compared with the current ones. For a large variable, a sample is compared with
the distribution instead, which is faster.
"""

import math
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras.src.initializers.random_initializers import RandomInitializer, compute_fans

from weightinit.adapters.actions import Block, Constant, Leave
from weightinit.keras.constants import STATISTICS, find_initializer, read_value
from weightinit.keras.initializers import Initializer
from weightinit.keras.layers import Layer, find_lora, is_gated_by_forgetting
from weightinit.keras.walk import NamedTensor, name_dtype, read_values
from weightinit.spec.dtypes import DTYPES

# The most elements that are drawn again, and the size of the sample of larger variables.
MOST_DRAWN, SAMPLE = 2**14, 2**14
# Standard deviation of a unit normal cut at ±2, as Keras' TruncatedNormal draws it (scipy.stats.truncnorm).
TRUNCATED_UNIT_STDDEV = 0.87962566103423978


class Assignments:
    """Finds variables whose values differ from those of their layers' initializers.

    Training changes all variables, and a trained model is initialized anew. So a difference counts only if
    the optimizer has made no step, and at least half of the constants, or of the draws, are unchanged.
    """

    def __init__(self, model: Layer, variables: Sequence[NamedTensor]) -> None:
        self._variables = variables
        iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
        self._has_stepped = iterations is not None and int(keras.ops.convert_to_numpy(iterations)) > 0
        self._changes: dict[int, bool] = {}

    def find(self, named: NamedTensor) -> Block | None:
        """Return the block of a variable that the author assigned; None for an unchanged variable."""
        if self._has_stepped or not self._is_changed(named):
            return None
        is_constant = make_constant(named) is not None
        if not (self._are_set or (is_constant and self._are_repeated)):
            return None
        if not is_constant and not self._are_drawn:
            return None
        held = read_values(named)
        if (held == held.flat[0]).all():
            value = float(held.flat[0])
            reason = f"It was {value:g} everywhere, unlike what its layer sets: kept as its author set it."
            return Block(Constant(value), reason, certainty="guessed")
        reason = "Its values are not those that its layer gives it: kept as its author set it."
        return Block(Leave(), reason, certainty="guessed")

    @cached_property
    def _are_set(self) -> bool:
        """Whether at least half of the constants are unchanged."""
        return self._are_most_unchanged([one for one in self._variables if make_constant(one) is not None])

    @cached_property
    def _drawn(self) -> list[NamedTensor]:
        """The variables that can be drawn again."""
        return [one for one in self._variables if find_drawing(one) is not None]

    @cached_property
    def _are_drawn(self) -> bool:
        """Whether at least half of the draws are unchanged, large ones by a sample."""
        return bool(self._drawn) and self._are_most_unchanged(self._drawn)

    @cached_property
    def _are_repeated(self) -> bool:
        """Whether at least half of the draws that can be compared exactly are unchanged."""
        small = [one for one in self._drawn if math.prod(one.variable.shape) <= MOST_DRAWN]
        return bool(small) and self._are_most_unchanged(small)

    def _are_most_unchanged(self, variables: Sequence[NamedTensor]) -> bool:
        return 2 * sum(map(self._is_changed, variables)) <= len(variables)

    def _is_changed(self, named: NamedTensor) -> bool:
        """Return whether a variable differs from its initial values; False if those are unknown."""
        key = id(named.variable)
        if key not in self._changes:
            # Keras' own conversion to NumPy warns.
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                self._changes[key] = is_changed(named)
        return self._changes[key]


def is_changed(named: NamedTensor) -> bool:
    """Return whether a variable differs from its initial values and is finite; False if those are unknown."""
    made, initializer = make_constant(named), find_drawing(named)
    if made is None and initializer is None:
        return False
    held = read_values(named)
    if made is None and held.size > MOST_DRAWN:
        return is_unlike(held, compute_stddev(initializer, held.shape))
    if not np.isfinite(held).all():
        return False
    if made is not None:
        return not np.array_equal(held, made)
    drawn = keras.ops.convert_to_numpy(initializer(held.shape, dtype=name_dtype(named.variable)))
    return not np.array_equal(held, drawn)


def is_unlike(held: Any, stddev: float | None) -> bool:
    """Return whether values are unlike draws with mean zero and a standard deviation; False for None.

    The mean of n draws is within 6 σ / √n of zero, and their standard deviation within 6 σ / √n of σ, since
    its own error is at most σ / √(2n). Almost no draws are equal. Values that are not finite count as draws.
    """
    if stddev is None:
        return False
    sample = held.ravel()[:: max(1, held.size // SAMPLE)].astype("float64") / stddev
    if not np.isfinite(sample).all():
        return False
    some = sample[:1024]
    has_repeats = len(np.unique(some)) < 0.9 * len(some)
    return bool(has_repeats or max(abs(sample.mean()), abs(sample.std() - 1)) > 6 / math.sqrt(len(sample)))


def compute_stddev(initializer: Any, shape: tuple[int, ...]) -> float | None:
    """Return the standard deviation of an initializer of Keras with mean zero; None for others."""
    match initializer:
        case Initializer():
            return None  # the service determines its fans
        case keras.initializers.VarianceScaling(scale=scale, mode=mode):
            axes = [getattr(initializer, name, None) for name in ("input_axes", "output_axes")]
            counted = compute_fans(shape) if None in axes else compute_fans(shape, *axes)
            fans = dict(zip(("fan_in", "fan_out"), counted, strict=True))
            fan = fans.get(mode, sum(fans.values()) / 2)
            return math.sqrt(scale / max(1.0, fan))
        case keras.initializers.RandomUniform(minval=low, maxval=high) if low == -high:
            return float(high) / math.sqrt(3)
        case keras.initializers.RandomNormal(mean=0.0, stddev=stddev):
            return float(stddev)
        case keras.initializers.TruncatedNormal(mean=0.0, stddev=stddev):
            return float(stddev) * TRUNCATED_UNIT_STDDEV
        case _:
            return None


def find_drawing(named: NamedTensor) -> Any:
    """Return the initializer that drew a variable and can draw it again; None if there is none."""
    _, made = find_initializer(named.layer, named.variable.name)
    can_repeat = isinstance(made, RandomInitializer) and isinstance(made.seed, int)
    if not can_repeat or not is_filled(named) or make_constant(named) is not None:
        return None
    return add_axes(named.layer, made) if isinstance(named.layer, keras.layers.EinsumDense) else made


def add_axes(layer: Layer, initializer: Any) -> Any:
    """Add to an initializer the axes of an EinsumDense kernel, from which Keras 3.15 computes the fans."""
    if not hasattr(initializer, "input_axes") or initializer.input_axes is not None:
        return initializer
    kernel, _, output = layer.equation.partition(",")[2].partition("->")
    kept = [axis for axis, letter in enumerate(kernel) if letter in output]
    summed = [axis for axis in range(len(kernel)) if axis not in kept]
    added = {"seed": initializer.seed, "input_axes": summed, "output_axes": kept}
    return type(initializer).from_config(initializer.get_config() | added)


def make_constant(named: NamedTensor) -> Any:
    """Return a variable's initial values if its layer sets them without drawing; else None."""
    name, shape = named.variable.name, tuple(named.variable.shape)
    is_weight = is_filled(named) and name not in STATISTICS and not find_lora(name)
    value = read_value(named.layer, name) if is_weight else None
    if value is None:
        return None
    made = np.full(shape, value, dtype=name_dtype(named.variable))
    if name == "bias" and is_gated_by_forgetting(named.layer):
        made[shape[0] // 4 : shape[0] // 2] = 1  # of the forget gate, the second of four
    return made


def is_filled(named: NamedTensor) -> bool:
    """Return whether a variable has elements and a dtype that NumPy can compare."""
    dtype = name_dtype(named.variable)
    return 0 not in named.variable.shape and dtype in DTYPES and dtype != "bfloat16"
