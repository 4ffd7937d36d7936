"""Resolution: the parameters of each tensor of a model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from weightinit.display import fit_line, format_shape, make_html_table
from weightinit.models.model import Model
from weightinit.models.parts import Part
from weightinit.models.tensors import TensorSpec
from weightinit.models.validation import locate, name_tensor
from weightinit.spec.layer import Spec, describe
from weightinit.spec.parameters import Parameters


class Resolver:
    """Resolves the parameters of specs, with one request for specs that differ only in seed and name.

    `request` returns the parameters of a spec.
    """

    def __init__(self, request: Callable[[Spec], Parameters]) -> None:
        self._request = request
        self._known: dict[Spec, Parameters] = {}

    def resolve(self, spec: Spec, label: str) -> Parameters:
        """Return the parameters of a spec. An error gets a note that names the tensor."""
        key = replace(spec, seed=None, name=None)
        if key not in self._known:
            try:
                self._known[key] = self._request(key)
            except Exception as error:
                error.add_note(f"This was requested for {label}.")
                raise
        return self._known[key]


@dataclass(frozen=True, slots=True)
class PartParameters:
    """Part of a tensor: drawn with `parameters` under `name`, of one constant value, or made by a rule.

    `shape` is the part's own. `slice` is its rows of the drawn tensor, such as `1:100`, None for all; the
    drawn tensor has the shape `parameters.shape`. `values` is the name of the rule.
    """

    name: str
    shape: tuple[int, ...]
    slice: str | None
    constant: float | None
    parameters: Parameters | None
    values: str | None = None

    def __repr__(self) -> str:
        return f"<PartParameters {describe(self.name)} {format_shape(self.shape)}: {self.summarize()}>"

    def summarize(self) -> str:
        """Describe the values in a line."""
        rows = f"[{self.slice}] of " if self.slice else ""
        if self.values:
            return self.values
        if self.parameters is None:
            return f"{rows}constant {self.constant:g}"
        return fit_line(f"{rows}{self.parameters.label}, {self.parameters.formula}")


@dataclass(frozen=True, slots=True)
class TensorParameters:
    """A tensor of a model, and the parameters of each of its parts, stacked along an axis."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    parts: tuple[PartParameters, ...]
    axis: int = 0

    def __repr__(self) -> str:
        count = len(self.parts)
        values = self.parts[0].summarize() if count == 1 else f"{count} parts"
        return f"<TensorParameters {describe(self.name)} {format_shape(self.shape)} {self.dtype}: {values}>"

    def _repr_html_(self) -> str:
        """Return the parts as a table, for notebooks."""
        rows = [(part.name, format_shape(part.shape), part.summarize()) for part in self.parts]
        return f"<p>{escape(repr(self))}</p>{make_html_table(('name', 'shape', 'values'), rows, len(rows))}"


def read_model_parameters(answer: Mapping[str, object]) -> tuple[TensorParameters, ...]:
    """Return the parameters in a response. Raises ValueError."""
    rows: Any = answer.get("tensors")
    try:
        return tuple(_read_tensor(row) for row in rows)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"the parameters have an unexpected form: {error}") from None


def resolve_tensors(model: Model, resolver: Resolver) -> tuple[TensorParameters, ...]:
    """Return the parameters of the tensors of a model, which need not be published."""
    return tuple(_resolve_tensor(tensor, resolver) for tensor in model.tensors)


def _read_tensor(row: Mapping[str, Any]) -> TensorParameters:
    parts = tuple(_read_part(part) for part in row["parts"])
    shape, axis = tuple(row["shape"]), int(row.get("axis", 0))
    return TensorParameters(str(row["name"]), shape, str(row["dtype"]), parts, axis)


def _read_part(row: Mapping[str, Any]) -> PartParameters:
    values = row["parameters"]
    parameters = values and Parameters.from_json(values)
    known = (str(row["name"]), tuple(row["shape"]), row["slice"], row["constant"], parameters)
    return PartParameters(*known, row.get("values"))


def _resolve_tensor(tensor: TensorSpec, resolver: Resolver) -> TensorParameters:
    with locate(name_tensor(tensor.name)):
        parts = tuple(_resolve_part(part, tensor.name, resolver) for part in tensor.parts)
    return TensorParameters(tensor.name, tensor.shape, tensor.dtype, parts, tensor.axis)


def _resolve_part(part: Part, name: str, resolver: Resolver) -> PartParameters:
    if part.spec is None:
        return PartParameters(name, part.shape, None, part.value, None, part.rule and part.rule[0])
    drawn_as = part.spec.name or ""
    values = resolver.resolve(part.spec, drawn_as)
    return PartParameters(drawn_as, part.shape, part.slice_text, None, values)
