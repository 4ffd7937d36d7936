"""Parameters: what the service resolved for a layer's weights, and why."""

import types
from collections.abc import Mapping
from dataclasses import KW_ONLY, MISSING, Field, dataclass, fields
from typing import Any, get_args

from weightinit.display import fit_line, format_shape, make_html_fields
from weightinit.spec.layer import describe


@dataclass(frozen=True, slots=True)
class Propagation:
    """What a layer does to variances.

    `forward` is the variance of the activation's output over that of an input of variance 1, `backward` the
    same for gradients. The others are those of a deep chain of equal layers: `fixed_point` is the variance
    that it tends to, `chi` the factor of a small difference in each layer there, `depth_scale` = 1 / |ln χ|.
    """

    forward: float
    backward: float
    fixed_point: float | None = None
    chi: float | None = None
    depth_scale: float | None = None

    def __str__(self) -> str:
        """Return the fields that have a value, in a line.

        >>> str(Propagation(1.0, 0.5, chi=0.5))
        'forward 1, backward 0.5, chi 0.5'
        """
        given = ((row.name, getattr(self, row.name)) for row in fields(self))
        return ", ".join(f"{name} {value:g}" for name, value in given if value is not None)

    @classmethod
    def from_json(cls, answer: Mapping[str, object]) -> "Propagation":
        """Return the propagation in a response. Raises ValueError."""
        return cls(**{row.name: _read_field(row, answer) for row in fields(cls)})


@dataclass(frozen=True, slots=True)
class Parameters:
    """Scheme, fans and spread of a layer's weights.

    `variance` = `scale` / fan, the fan that `mode` names, in schemes with a scale; `stddev` = √variance;
    `limit` = √(3 · variance), the half-width of a uniform distribution of that variance. `formula`, `reason`
    and `reference` are for people. A scheme without a scale has no mode, and no fans if the layout has no
    axes for them; a matrix of a given structure, or a constant, has no distribution.

    `mean` is added to the draws. `parent_stddev`, `lower` and `upper` are those of the normal that a
    truncated normal is cut from; `low` and `high` are the ends of the values, None if only the dtype limits
    them. These, `gain` and `propagation` have their defaults if the service is too old to send them.
    """

    shape: tuple[int, ...]
    layout: str
    dtype: str
    activation: str
    scheme: str
    mode: str | None
    distribution: str | None
    fan_in: int | float | None
    fan_out: int | float | None
    fan_avg: float | None
    scale: float | None
    variance: float
    stddev: float
    limit: float
    _: KW_ONLY
    mean: float = 0.0
    parent_stddev: float | None = None
    lower: float | None = None
    upper: float | None = None
    low: float | None = None
    high: float | None = None
    gain: float = 1.0
    formula: str
    reason: str
    reference: str
    propagation: Propagation | None = None

    def __repr__(self) -> str:
        activation, drawn = fit_line(self.activation), f"{self.label}, {self.formula}"
        return f"<Parameters {format_shape(self.shape)} {activation}: {fit_line(drawn)}>"

    @property
    def label(self) -> str:
        """The scheme and the distribution, if it has one."""
        return self.scheme if self.distribution is None else f"{self.scheme} {self.distribution}"

    def _repr_html_(self) -> str:
        """Return the fields as a table, for notebooks."""
        return make_html_fields(self)

    @classmethod
    def from_json(cls, answer: Mapping[str, object]) -> "Parameters":
        """Return the parameters in a response; fields of a newer service are ignored. Raises ValueError."""
        values: dict[str, Any] = {row.name: _read_field(row, answer) for row in fields(cls)}
        return cls(**values)


def _read_field(row: "Field[Any]", answer: Mapping[str, object]) -> Any:  # noqa: ANN401 - the field's type
    name, kind, value = row.name, row.type, answer.get(row.name)
    if name not in answer and row.default is not MISSING:
        return row.default
    kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if isinstance(value, list) and isinstance(kind, types.GenericAlias):
        (item, _) = get_args(kind)
        if all(type(entry) is item for entry in value):
            return tuple(value)
    if isinstance(value, Mapping) and Propagation in kinds:
        return Propagation.from_json(value)
    # JSON has one kind of number: 2 may stand for 2.0.
    if float in kinds and int not in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds or name not in answer:
        raise ValueError(f"{name} is {describe(value)}")
    return value
