"""Responses: published models, and the tables of schemes and activations."""

from dataclasses import dataclass, fields
from typing import Self

from service.core import DistributionName, Mode, Parameters, SchemeName, TensorDtypeName
from service.core.activations import Activation, Family
from service.core.layer.propagate import add_propagation
from service.core.models import Drawn, Model, ModelTensor, Part, Values
from service.core.scheme_names import list_spellings
from service.core.schemes import SCHEMES, Scheme


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A published model: its id, its stream version, and its numbers of tensors, elements and bytes."""

    id: str
    stream: int
    tensors: int
    elements: int
    bytes: int

    @classmethod
    def of(cls, model: Model) -> Self:
        """Make the summary of a model."""
        return cls(model.id, model.stream, len(model.tensors), model.elements, model.nbytes)


@dataclass(frozen=True, slots=True)
class DecidedPart:
    """Part of a tensor: drawn with `parameters`, of which `slice` takes some, a `constant`, or `values`.

    `values` is the rule that the elements follow from, with its options.
    """

    name: str
    shape: tuple[int, ...]
    slice: str | None
    constant: float | None
    values: str | None
    parameters: Parameters | None

    @classmethod
    def of(cls, part: Part) -> Self:
        """Make the description of a part."""
        if isinstance(part, Drawn):
            parameters = add_propagation(part.spec, part.parameters)
            return cls(part.name, part.shape, part.slice_text or None, None, None, parameters)
        if isinstance(part, Values):
            return cls(part.name, part.shape, None, None, part.rule.summarize(), None)
        return cls(part.name, part.shape, None, part.value, None, None)


@dataclass(frozen=True, slots=True)
class DecidedTensor:
    """A tensor of a model, and its parts, at least one, stacked along an axis."""

    name: str
    shape: tuple[int, ...]
    dtype: TensorDtypeName
    axis: int
    parts: tuple[DecidedPart, ...]

    @classmethod
    def of(cls, tensor: ModelTensor) -> Self:
        """Make the description of a tensor."""
        parts = tuple(DecidedPart.of(part) for part in tensor.parts)
        return cls(tensor.name, tensor.shape, tensor.dtype, tensor.axis, parts)


@dataclass(frozen=True, slots=True)
class DecidedModel:
    """The parameters of every tensor of a model, sorted by the bytes of their names. The seed is text."""

    model: str
    seed: str
    stream: int
    tensors: tuple[DecidedTensor, ...]

    @classmethod
    def of(cls, model_id: str, model: Model) -> Self:
        """Make the description of a model."""
        tensors = tuple(DecidedTensor.of(tensor) for tensor in model.tensors)
        return cls(model_id, str(model.seed), model.stream, tensors)


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """An initialization scheme: its names, the default formula of σ², the reason and the reference."""

    name: SchemeName
    aliases: tuple[str, ...]
    spellings: tuple[str, ...]
    formula: str
    scale: float | None
    mode: Mode | None
    distribution: DistributionName | None
    reason: str
    reference: str

    @classmethod
    def of(cls, row: Scheme) -> Self:
        """Make the row of a scheme."""
        same = {field.name: getattr(row, field.name) for field in fields(cls) if field.name != "spellings"}
        return cls(spellings=list_spellings(row), **same)


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """An activation: its names, its family, the scheme that `auto` chooses, and the reason.

    `formula` and `reference` are those of the scheme.
    """

    name: str
    aliases: tuple[str, ...]
    family: Family
    scheme: SchemeName
    formula: str
    reason: str
    reference: str

    @classmethod
    def of(cls, row: Activation) -> Self:
        """Make the row of an activation."""
        scheme = SCHEMES[row.scheme]
        return cls(
            row.name, row.aliases, row.family, row.scheme, scheme.formula, row.reason, scheme.reference
        )
