"""What tests of following share: small models, and what is found behind their kernels."""

import keras
from keras import layers
from weightinit.keras.activations import ActivationFinder
from weightinit.keras.layers import find_kernel


def infer(model, layer):
    """Infer what follows the kernel of a layer of a model."""
    kernel = next(variable for variable in layer.weights if variable.name == "kernel")
    return ActivationFinder(model).find(kernel, layer, find_kernel(layer, "kernel"))


def judge(model, layer):
    """Name what follows, and how certain that is."""
    found = infer(model, layer)
    return found.activation or "none", found.certainty


def connect(function, inputs=(4,), units=4, layer=None):
    """Make a functional model of a Dense and a function of its output; return both."""
    dense = layer or layers.Dense(units)
    given = keras.Input(inputs)
    return keras.Model(given, function(dense(given))), dense


def follow(*parts, inputs=(8, 8, 3), first=None):
    """Judge what follows the first of some layers."""
    first = first or layers.Conv2D(3, 3, padding="same")
    return judge(keras.Sequential([keras.Input(inputs), first, *parts]), first)
