"""Initialize Keras 3 models and layers from the service, with initializers that can be serialized."""

from weightinit.adapters.report import Report, Row
from weightinit.adapters.rules import (
    ModelRejected,
    StaleCopyWarning,
    UnknownActivationWarning,
    UnpublishedTensorWarning,
)
from weightinit.keras.check import check
from weightinit.keras.initialize import initialize, plan
from weightinit.keras.initializers import (
    GlorotNormal,
    GlorotTruncatedNormal,
    GlorotUniform,
    HeNormal,
    HeTruncatedNormal,
    HeUniform,
    Initializer,
    KaimingNormal,
    KaimingTruncatedNormal,
    KaimingUniform,
    LecunNormal,
    LecunTruncatedNormal,
    LecunUniform,
    SharedWeights,
    VarianceScaling,
    XavierNormal,
    XavierTruncatedNormal,
    XavierUniform,
    placeholders,
)
from weightinit.keras.publish import publish

__all__ = [
    "GlorotNormal",
    "GlorotTruncatedNormal",
    "GlorotUniform",
    "HeNormal",
    "HeTruncatedNormal",
    "HeUniform",
    "Initializer",
    "KaimingNormal",
    "KaimingTruncatedNormal",
    "KaimingUniform",
    "LecunNormal",
    "LecunTruncatedNormal",
    "LecunUniform",
    "ModelRejected",
    "Report",
    "Row",
    "SharedWeights",
    "StaleCopyWarning",
    "UnknownActivationWarning",
    "UnpublishedTensorWarning",
    "VarianceScaling",
    "XavierNormal",
    "XavierTruncatedNormal",
    "XavierUniform",
    "check",
    "initialize",
    "placeholders",
    "plan",
    "publish",
]
