"""Constants: what a variable that is no kernel starts as, where Keras makes it of one value."""

from collections.abc import Mapping
from numbers import Real

import keras
from keras import layers

from weightinit.keras.places import Place
from weightinit.keras.types import Layer
from weightinit.models import Part

# Keras' initializers of one value, and the value of each.
VALUES: Mapping[type, object] = {keras.initializers.Zeros: 0.0, keras.initializers.Ones: 1.0}
# Variables whose layer has no initializer to read.
FIXED: Mapping[type, Mapping[str, float]] = {layers.RMSNormalization: {"scale": 1.0}}


def find_constant(place: Place) -> list[Part]:
    """Find the parts of a variable that starts at one value, or at one for each gate; [] for any other."""
    shape = tuple(place.variable.shape) or (1,)
    value = read_value(place.layer, place.variable.name)
    if value is None:
        return []
    is_gated = isinstance(place.layer, layers.LSTMCell) and place.layer.unit_forget_bias
    if is_gated and place.variable.name == "bias":
        return fill_gates(value, shape[0] // 4)
    return [Part.constant(shape, value)]


def read_value(layer: Layer, variable: str) -> float | None:
    """Read the value that a layer's initializer gives a variable everywhere; None where it gives another."""
    for kind, row in FIXED.items():
        if isinstance(layer, kind) and variable in row:
            return row[variable]
    made = getattr(layer, f"{variable}_initializer", None)
    value = made.value if isinstance(made, keras.initializers.Constant) else VALUES.get(type(made))
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value)


def fill_gates(value: float, units: int) -> list[Part]:
    """Fill the biases of an LSTM: the forget gate's start at one (Jozefowicz et al. 2015, section 2.2)."""
    return [Part.constant(units, value), Part.constant(units, 1.0), Part.constant(2 * units, value)]
