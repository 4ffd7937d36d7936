"""Models: what is published, as Python has it and as it is written down. Nothing here asks a service."""

from weightinit.models.decisions import DecidedPart, DecidedTensor
from weightinit.models.files import read_document
from weightinit.models.model import Model
from weightinit.models.names import NameEntry, Publication, Retirement
from weightinit.models.tensors import Part, TensorSpec

__all__ = [
    "DecidedPart",
    "DecidedTensor",
    "Model",
    "NameEntry",
    "Part",
    "Publication",
    "Retirement",
    "TensorSpec",
    "read_document",
]
