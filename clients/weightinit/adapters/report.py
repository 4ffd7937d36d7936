"""Reports: how each tensor of a model is initialized, and why, for people and for programs."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from html import escape
from typing import Self, TypeVar

from weightinit.adapters.actions import Certainty, Constant, Leave
from weightinit.adapters.plan import ResolvedTensor
from weightinit.display import MAX_HTML_ROWS, fit_line, make_html_fields, make_html_table
from weightinit.spec.dtypes import TENSOR_DTYPES
from weightinit.spec.layer import describe

COLUMNS = ("name", "shape", "scheme", "distribution", "variance", "activation", "certainty", "reason")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """How one tensor is initialized. `scheme` is "constant", "kept" or "skipped" if nothing is drawn.

    `name` is the tensor's name in the model, and what its draws depend on, unless `rename` changes that;
    `aliases` are the other names of a tied tensor. `reason` explains the activation or the value, `rationale`
    is the service's reason for the scheme. `variance` is σ², `limit` is √(3 σ²). `forward` and
    `backward` are the factors by which the layer and its activation change the variance of signals and of
    gradients. `certainty` is that of the activation or value.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    scheme: str
    reason: str
    layout: str | None = None
    activation: str | None = None
    distribution: str | None = None
    fan_in: int | float | None = None
    fan_out: int | float | None = None
    variance: float | None = None
    limit: float | None = None
    forward: float | None = None
    backward: float | None = None
    formula: str | None = None
    value: float | None = None
    rationale: str | None = None
    certainty: Certainty = "certain"
    role: str | None = None
    layer: int | None = None
    pattern: str | None = None
    source: str | None = None

    @classmethod
    def of(cls, tensor: ResolvedTensor) -> Self:
        """Return the row of a tensor, with the parameters that the service resolved if it is drawn."""
        row, decision = cls._read(tensor), tensor.planned.decision
        if decision is None:
            return row
        source = decision.source
        return replace(row, role=decision.role, layer=decision.layer, pattern=decision.pattern, source=source)

    @classmethod
    def _read(cls, tensor: ResolvedTensor) -> Self:
        planned, parameters = tensor.planned, tensor.parameters
        signal = parameters.propagation if parameters else None
        whole = (planned.name, planned.aliases, planned.shape, planned.dtype)
        if parameters is None:
            action = planned.action
            if isinstance(action, Constant):
                reason, certainty = planned.reason, planned.certainty
                return cls(*whole, "constant", reason, value=action.value, certainty=certainty)
            if isinstance(action, Leave):
                return cls(*whole, "kept", planned.reason, certainty=planned.certainty)
            return cls(*whole, "skipped", planned.reason, certainty="unknown")
        return cls(
            *whole,
            parameters.scheme,
            planned.reason,
            rationale=parameters.reason,
            layout=parameters.layout,
            activation=parameters.activation,
            distribution=parameters.distribution,
            fan_in=parameters.fan_in,
            fan_out=parameters.fan_out,
            variance=parameters.variance,
            limit=parameters.limit,
            forward=signal.forward if signal else None,
            backward=signal.backward if signal else None,
            formula=parameters.formula,
            certainty=planned.certainty,
        )

    def __repr__(self) -> str:
        cells = dict(zip(COLUMNS, format_row(self), strict=True))
        spread = "" if self.variance is None else f"σ² = {cells['variance']}"
        if self.forward is not None and self.backward is not None:
            spread += f", forward {self.forward:g}, backward {self.backward:g}"
        drawn = [cells["shape"], cells["scheme"], cells["distribution"], spread, f"({self.certainty})"]
        values = " ".join(word for word in drawn if word)
        return f"<Row {describe(self.name)} {values}: {fit_line(self.reason)}>"

    def _repr_html_(self) -> str:
        """Return the fields as a table, for notebooks."""
        return make_html_fields(self)

    @property
    def elements(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the elements; 0 for a dtype that is not supported."""
        return self.elements * TENSOR_DTYPES[self.dtype].itemsize if self.dtype in TENSOR_DTYPES else 0


@dataclass(frozen=True, slots=True)
class Report:
    """How the tensors of a model are initialized: a row each, in the model's order. Print it for a table.

    `reference` and `model`, an id, are those of the published model, if there is one. `recipe` has the name
    and the sizes of the recipe, if there is one.
    """

    seed: int
    rows: tuple[Row, ...]
    reference: str | None = None
    model: str | None = None
    recipe: Mapping[str, object] | None = field(default=None, hash=False)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Row:
        names = {alias: row for row in self.rows[::-1] for alias in (row.name, *row.aliases)}
        return find_row(names, name, "tensor")

    @property
    def skipped(self) -> tuple[str, ...]:
        """The names of the tensors left as they are because nothing says how to initialize them."""
        return tuple(row.name for row in self.rows if row.scheme == "skipped")

    @property
    def guessed(self) -> tuple[str, ...]:
        """The names of the tensors whose activation or value is likely and not certain; `reason` says why."""
        return tuple(row.name for row in self.rows if row.certainty == "guessed")

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of the tensors whose initialization or activation is unknown."""
        return tuple(row.name for row in self.rows if row.certainty == "unknown")

    @property
    def elements(self) -> int:
        """The number of elements of all tensors."""
        return sum(row.elements for row in self.rows)

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(row.nbytes for row in self.rows)

    @property
    def schemes(self) -> dict[str, int]:
        """The number of tensors by scheme, the most frequent first."""
        return dict(Counter(row.scheme for row in self.rows).most_common())

    def summarize(self) -> str:
        """Return the totals in a line."""
        schemes = ", ".join(f"{count} {scheme}" for scheme, count in self.schemes.items())
        return f"{len(self)} tensors, {self.elements:,} elements, {self.nbytes:,} bytes: {schemes or 'none'}"

    def to_dict(self) -> dict[str, object]:
        """Return the report as a dictionary for JSON."""
        origin = {
            "seed": self.seed,
            "reference": self.reference,
            "model": self.model,
            "recipe": None if self.recipe is None else dict(self.recipe),
        }
        totals = {"elements": self.elements, "bytes": self.nbytes, "schemes": self.schemes}
        return {**origin, "totals": totals, "tensors": [asdict(row) for row in self.rows]}

    def to_json(self, indent: int | None = None) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def __repr__(self) -> str:
        reference = f"{fit_line(self.reference)} " if self.reference else ""
        return f"<Report {reference}seed={self.seed}: {self.summarize()}>"

    def __str__(self) -> str:
        return format_table([COLUMNS, *(format_row(row) for row in self.rows)])

    def _repr_html_(self) -> str:
        """Return the totals, with the table collapsed below them, for notebooks."""
        table = make_html_table(COLUMNS, [format_row(row) for row in self.rows[:MAX_HTML_ROWS]], len(self))
        return f"<details><summary>{escape(self.summarize())}</summary>{table}</details>"


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a model's weights: a seed, and a published model's reference and id, or a recipe."""

    seed: int
    reference: str | None = None
    model: str | None = None
    recipe: Mapping[str, object] | None = None

    def make_report(self, tensors: Iterable[ResolvedTensor]) -> Report:
        """Return the report of a plan."""
        return Report(self.seed, tuple(map(Row.of, tensors)), self.reference, self.model, self.recipe)


def format_row(row: Row) -> tuple[str, ...]:
    """Format the cells of a row."""
    cells: Mapping[str, str] = {
        "name": " = ".join((row.name, *row.aliases)),
        "shape": "×".join(map(str, row.shape)),
        "scheme": row.scheme if row.value is None else f"{row.scheme} {row.value:g}",
        "distribution": row.distribution or "",
        "variance": "" if row.variance is None else f"{row.variance:.4g}",
        "activation": row.activation or "",
        "certainty": row.certainty,
        "reason": row.reason,
    }
    return tuple(cells[column] for column in COLUMNS)


def find_row(rows: Mapping[str, T], name: str, kind: str) -> T:
    """Return a row by name. Raises KeyError with the nearest names; `kind` is the noun in its message."""
    if name not in rows:
        near = get_close_matches(name, rows, n=3, cutoff=0.5)
        advice = f"; did you mean {' or '.join(near)}?" if near else ""
        raise KeyError(f"no {kind} is named {name!r}{advice}")
    return rows[name]


def format_table(rows: list[tuple[str, ...]]) -> str:
    """Format rows of cells as lines, with columns as wide as they need to be.

    >>> print(format_table([("name", "shape"), ("w", "2×3")]))
    name  shape
    w     2×3
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
