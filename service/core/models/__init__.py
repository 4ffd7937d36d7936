"""Published models: what a client says of one, what it comes to, and its canonical form."""

from service.core.models.model import Model
from service.core.models.parsing import Limits, parse_model
from service.core.models.spec import ModelSpec
from service.core.models.tensors import Constant, Drawn, ModelTensor, Part

__all__ = ["Constant", "Drawn", "Limits", "Model", "ModelSpec", "ModelTensor", "Part", "parse_model"]
