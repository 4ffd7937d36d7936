"""Keras 3: initializers that serialize, over the client."""

from weightinit.keras.initializers import Initializer, SharedWeights, placeholders
from weightinit.keras.models import initialize
from weightinit.keras.named import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from weightinit.keras.publishing import publish
from weightinit.patterns import ModelRejected

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
