"""Models: what is published, as Python has it and as it is written down. Nothing here asks a service."""

from weightinit.models.decisions import DecidedPart, DecidedTensor
from weightinit.models.documents import read_document
from weightinit.models.model import Model
from weightinit.models.names import NameEntry, Publication, Retirement
from weightinit.models.parts import Part
from weightinit.models.tensors import TensorSpec

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
