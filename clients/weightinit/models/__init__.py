"""Models: their classes, names and files. Nothing here sends a request."""

from weightinit.models.expansion import ExpandedModel, ExpandedTensor
from weightinit.models.files import read_model
from weightinit.models.model import Model
from weightinit.models.names import NameEntry, Publication, Retirement
from weightinit.models.parts import Part
from weightinit.models.resolution import PartParameters, TensorParameters
from weightinit.models.tensors import TensorSpec

__all__ = [
    "ExpandedModel",
    "ExpandedTensor",
    "Model",
    "NameEntry",
    "Part",
    "PartParameters",
    "Publication",
    "Retirement",
    "TensorParameters",
    "TensorSpec",
    "read_model",
]
