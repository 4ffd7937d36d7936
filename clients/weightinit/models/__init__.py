"""Models: what is published, as Python has it and as it is written down. Nothing here asks a service."""

from weightinit.models.files import read_model
from weightinit.models.model import Model
from weightinit.models.names import NameEntry, Publication, Retirement
from weightinit.models.resolution import PartParameters, TensorParameters
from weightinit.models.tensors import Part, TensorSpec

__all__ = [
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
