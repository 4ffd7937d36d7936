"""Small Keras models, and functions that return what follows their kernels."""

import keras
from keras import layers
from weightinit.keras.activations import ActivationFinder
from weightinit.keras.layers import find_kernel


def infer(model, layer):
    """Return the inference for a layer's kernel in a model."""
    kernel = next(variable for variable in layer.weights if variable.name == "kernel")
    return ActivationFinder(model).find(kernel, layer, find_kernel(layer, "kernel"))


def judge(model, layer):
    """Return the name of the activation that follows, and the certainty."""
    found = infer(model, layer)
    return found.activation or "none", found.certainty


def connect(function, inputs=(4,), units=4, layer=None):
    """Return a functional model of a Dense layer and a function of its output, and the layer."""
    dense = layer or layers.Dense(units)
    given = keras.Input(inputs)
    return keras.Model(given, function(dense(given))), dense


def follow(*parts, inputs=(8, 8, 3), first=None):
    """Return what follows the first of several layers, and the certainty."""
    first = first or layers.Conv2D(3, 3, padding="same")
    return judge(keras.Sequential([keras.Input(inputs), first, *parts]), first)
