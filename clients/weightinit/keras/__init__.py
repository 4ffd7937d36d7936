"""Keras 3: initializers that serialize, over the client."""

from weightinit.adapters.rules import ModelRejected
from weightinit.keras.initialize import initialize
from weightinit.keras.initializers import Initializer, SharedWeights, placeholders
from weightinit.keras.named import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from weightinit.keras.publish import publish

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "ModelRejected",
    "SharedWeights",
    "VarianceScaling",
    "initialize",
    "placeholders",
    "publish",
]
