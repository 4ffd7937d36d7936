"""Types: names for what Keras, which is published without types, makes."""

from typing import Any

Layer = Any  # a keras.Layer; models are layers
Operation = Any  # a keras.Operation: a layer, or a function of keras.ops in a model's graph
Variable = Any  # a keras.Variable
Tensor = Any  # of the backend, or symbolic
Activation = Any  # a function, a layer or None
