"""Published models: their spec, resolved tensors and canonical form."""

from service.core.models.model import Constant, Drawn, Model, ModelTensor, Part, Values
from service.core.models.parsing import Limits, ParsedModel, parse_expanded, parse_model
from service.core.models.specs import ModelSpec

__all__ = [
    "Constant",
    "Drawn",
    "Limits",
    "Model",
    "ModelSpec",
    "ModelTensor",
    "ParsedModel",
    "Part",
    "Values",
    "parse_expanded",
    "parse_model",
]
