"""Decisions: what is answered of a published model, in the shapes that it is described and written by."""

from dataclasses import dataclass
from typing import Self

from service.core import DtypeName, Parameters
from service.core.models import Drawn, Model, ModelTensor, Part


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model that is published: its id, the version of its stream, and how much there is of it."""

    id: str
    stream: int
    tensors: int
    elements: int
    bytes: int

    @classmethod
    def of(cls, model: Model) -> Self:
        """Count a model."""
        return cls(model.id, model.stream, len(model.tensors), model.elements, model.nbytes)


@dataclass(frozen=True, slots=True)
class DecidedPart:
    """Rows of a tensor: drawn with `parameters`, a `slice` of what is drawn perhaps, or a `constant`."""

    name: str
    shape: tuple[int, ...]
    slice: str | None
    constant: float | None
    parameters: Parameters | None

    @classmethod
    def of(cls, part: Part) -> Self:
        """Tell what was decided for a part."""
        if isinstance(part, Drawn):
            return cls(part.name, part.shape, part.cut or None, None, part.parameters)
        return cls(part.name, part.shape, None, part.value, None)


@dataclass(frozen=True, slots=True)
class DecidedTensor:
    """A tensor of a model, and the parts that are stacked to it: one at least."""

    name: str
    shape: tuple[int, ...]
    dtype: DtypeName
    parts: tuple[DecidedPart, ...]

    @classmethod
    def of(cls, tensor: ModelTensor) -> Self:
        """Tell what was decided for a tensor."""
        parts = tuple(DecidedPart.of(part) for part in tensor.parts)
        return cls(tensor.name, tensor.shape, tensor.dtype, parts)


@dataclass(frozen=True, slots=True)
class DecidedModel:
    """What was decided for every tensor of a model, in the order of their names' bytes. The seed is text."""

    model: str
    seed: str
    stream: int
    tensors: tuple[DecidedTensor, ...]

    @classmethod
    def of(cls, model_id: str, model: Model) -> Self:
        """Tell what was decided for a model."""
        tensors = tuple(DecidedTensor.of(tensor) for tensor in model.tensors)
        return cls(model_id, str(model.seed), model.stream, tensors)
