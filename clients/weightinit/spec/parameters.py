"""Parameters: what the service resolved for a layer's weights, and why."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from weightinit.display import fit_line, format_shape, make_html_fields
from weightinit.spec.layer import describe


@dataclass(frozen=True, slots=True)
class Parameters:
    """Scheme, fans and spread of a layer's weights.

    `variance` = `scale` / fan, the fan that `mode` names; `stddev` = √variance; `limit` = √(3 · variance),
    the half-width of a uniform distribution of that variance. `formula`, `reason` and `reference` are for
    people. Scheme explicit has neither scale nor mode, and no fans if the layout has no axes for them.
    """

    shape: tuple[int, ...]
    layout: str
    dtype: str
    activation: str
    scheme: str
    mode: str | None
    distribution: str
    fan_in: int | None
    fan_out: int | None
    fan_avg: float | None
    scale: float | None
    variance: float
    stddev: float
    limit: float
    formula: str
    reason: str
    reference: str

    def __repr__(self) -> str:
        activation, drawn = fit_line(self.activation), f"{self.scheme} {self.distribution}, {self.formula}"
        return f"<Parameters {format_shape(self.shape)} {activation}: {fit_line(drawn)}>"

    def _repr_html_(self) -> str:
        """Return the fields as a table, for notebooks."""
        return make_html_fields(self)

    @classmethod
    def from_json(cls, answer: Mapping[str, object]) -> "Parameters":
        """Return the parameters in a response; fields of a newer service are ignored. Raises ValueError."""
        values: dict[str, Any] = {row.name: _read_field(row.name, row.type, answer) for row in fields(cls)}
        return cls(**values)


def _read_field(name: str, kind: object, answer: Mapping[str, object]) -> object:
    value = answer.get(name)
    kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if isinstance(value, list) and isinstance(kind, types.GenericAlias):
        (item, _) = get_args(kind)
        if all(type(entry) is item for entry in value):
            return tuple(value)
    # JSON has one kind of number: 2 may stand for 2.0.
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds or name not in answer:
        raise ValueError(f"{name} is {describe(value)}")
    return value
