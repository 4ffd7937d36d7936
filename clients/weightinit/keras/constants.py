"""Describe variables that are not kernels: biases, norms and others that Keras' layers set to a constant."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import keras
from keras import layers

from weightinit.adapters.actions import Block, Constant, Leave, split_axis
from weightinit.keras.layers import Layer, find_lora, is_gated_by_forgetting
from weightinit.keras.walk import NamedTensor, name_dtype
from weightinit.spec.dtypes import DTYPES

# Keras' constant initializers, and the value of each.
VALUES: Mapping[type, object] = {keras.initializers.Zeros: 0.0, keras.initializers.Ones: 1.0}
# Constant variables whose layer has no initializer attribute.
FIXED: Mapping[type, Mapping[str, float]] = {layers.RMSNormalization: {"scale": 1.0}}
# Statistics that a norm collects from data; kept unless they are published.
STATISTICS = frozenset(["moving_mean", "moving_variance"])
UNKNOWN = "Keras' own initializer gives its value."
# Reasons for variables that may be kernels and that are left as they are.
OWN = "it stays as its own initializer made it."
UNAPPLIED = f"No product is seen that applies it: {OWN}"
UNSEEN = f"The product that applies it does not show its axes: {OWN}"
LSTM_GATES = ("i", "f", "g", "o")


def describe_constant(named: NamedTensor) -> list[Block]:
    """Describe a variable that is not a kernel: its layer's constant, or left as Keras initialized it."""
    name, shape = named.variable.name, tuple(named.variable.shape)
    if name in STATISTICS:
        return [Block(Leave(), "What a norm has seen of the data.")]
    argument, made = find_initializer(named.layer, name)
    value = read_value(named.layer, name)
    if value is None or not shape or name_dtype(named.variable) not in DTYPES:
        if value is None and made is not None:
            return [Block(Leave(), f"{name_initializer(made)}, its layer's {argument}, draws it in Keras.")]
        return [Block(Leave(), UNKNOWN)]
    if name == "bias" and is_gated_by_forgetting(named.layer):
        values = dict.fromkeys(LSTM_GATES, value) | {"f": 1.0}
        actions = {gate: Constant(one) for gate, one in values.items()}
        reasons = dict.fromkeys(LSTM_GATES, "Its layer sets it to zero.")
        reasons["f"] = (
            "Its layer opens the forget gate by a bias of one (Jozefowicz et al. 2015, section 2.2)."
        )
        return split_axis(dict.fromkeys(LSTM_GATES, shape[0] // 4), actions, reasons, -1)
    return [Block(Constant(value), f"Its layer sets it to {value:g}.")]


def read_value(layer: Layer, variable: str) -> float | None:
    """Return the constant of a variable's initializer; None for other initializers."""
    if find_lora(variable) == "b":
        return 0.0
    for kind, row in FIXED.items():
        if isinstance(layer, kind) and variable in row:
            return row[variable]
    _, made = find_initializer(layer, variable)
    value = made.value if isinstance(made, keras.initializers.Constant) else VALUES.get(type(made))
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value)


def find_initializer(layer: Layer, variable: str) -> tuple[str, Any]:
    """Return the argument and the initializer that a layer has for a variable, or "" and None.

    >>> find_initializer(layers.GRUCell(3), "recurrent_kernel")[0]
    'recurrent_initializer'
    """
    names = [variable, variable.removesuffix("_kernel"), variable.removeprefix("reverse_")]
    if isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D):
        names.insert(0, {"kernel": "depthwise"}.get(variable, variable))
    for name in names:
        made = getattr(layer, f"{name}_initializer", None)
        if isinstance(made, keras.initializers.Initializer) or callable(made):
            return f"{name}_initializer", made
    return "", None


def name_initializer(made: Any) -> str:
    """Return the name of an initializer: its class, or a function's own name."""
    return str(getattr(made, "__name__", type(made).__name__))
