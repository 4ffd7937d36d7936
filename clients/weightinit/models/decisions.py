"""Decisions: what each tensor of a model starts from, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from weightinit.models import Model, Part, TensorSpec
from weightinit.parameters import Parameters
from weightinit.places import locate, name_tensor
from weightinit.spec import Spec

Decide = Callable[[Spec], Parameters]


@dataclass(frozen=True, slots=True)
class DecidedPart:
    """Rows of a tensor: drawn by `parameters` under `name`, or of one value everywhere.

    `shape` is what the part contributes. `slice` says which rows these are of the tensor that is drawn, whose
    shape is `parameters.shape`, as in `1:100`; None for all of them.
    """

    name: str
    shape: tuple[int, ...]
    slice: str | None
    constant: float | None
    parameters: Parameters | None


@dataclass(frozen=True, slots=True)
class DecidedTensor:
    """A tensor of a model, and what is decided for each of the parts that are stacked to it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    parts: tuple[DecidedPart, ...]


def read_decisions(answer: Mapping[str, object]) -> tuple[DecidedTensor, ...]:
    """Read the service's answer. Raises ValueError."""
    rows: Any = answer.get("tensors")
    try:
        return tuple(_read_tensor(row) for row in rows)
    except (KeyError, TypeError) as error:
        raise ValueError(f"what is decided has another form: {error}") from None


def decide_tensors(model: Model, decide: Decide) -> tuple[DecidedTensor, ...]:
    """Ask what is decided for a model that need not be published: once for all that is alike."""
    known: dict[Spec, Parameters] = {}

    def decide_once(spec: Spec) -> Parameters:
        alike = replace(spec, seed=None, name="")
        if alike not in known:
            known[alike] = decide(alike)
        return known[alike]

    return tuple(_decide_tensor(tensor, decide_once) for tensor in model.tensors)


def _read_tensor(row: Mapping[str, Any]) -> DecidedTensor:
    parts = tuple(_read_part(part) for part in row["parts"])
    return DecidedTensor(str(row["name"]), tuple(row["shape"]), str(row["dtype"]), parts)


def _read_part(row: Mapping[str, Any]) -> DecidedPart:
    decided = row["parameters"]
    parameters = decided and Parameters.from_json(decided)
    return DecidedPart(str(row["name"]), tuple(row["shape"]), row["slice"], row["constant"], parameters)


def _decide_tensor(tensor: TensorSpec, decide: Decide) -> DecidedTensor:
    with locate(name_tensor(tensor.name)):
        parts = tuple(_decide_part(part, tensor.name, decide) for part in tensor.parts)
    return DecidedTensor(tensor.name, tensor.shape, tensor.dtype, parts)


def _decide_part(part: Part, name: str, decide: Decide) -> DecidedPart:
    if part.spec is None:
        return DecidedPart(name, part.shape, None, part.value, None)
    return DecidedPart(part.spec.name, part.shape, part.slice_text, None, decide(part.spec))
