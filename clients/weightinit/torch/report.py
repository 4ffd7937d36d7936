"""Reports: how each tensor of a module started, and why."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Self

from weightinit.spec.parameters import Parameters
from weightinit.torch.entries import Action, Constant, Leave, PlannedTensor
from weightinit.torch.fill import DTYPES

COLUMNS = ("name", "shape", "scheme", "distribution", "variance", "activation", "reason")


@dataclass(frozen=True, slots=True)
class Row:
    """How one tensor started. `scheme` is "constant", "kept" or "skipped" where none was drawn.

    `name` is what its draws depend on, unless it was renamed; `aliases` are the other names of a tied tensor.
    `reason` says where the activation or the value comes from, `rationale` why the scheme suits it, in the
    service's words.
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
    fan_in: int | None = None
    fan_out: int | None = None
    variance: float | None = None
    value: float | None = None
    rationale: str | None = None

    @classmethod
    def of(cls, entry: PlannedTensor, decided: Parameters | None) -> Self:
        """Make the row of an entry, with what the service decided where it is drawn."""
        dtype = DTYPES.get(entry.parameter.dtype, str(entry.parameter.dtype))
        if decided is None:
            scheme = name_start(entry.start)
            value = entry.start.value if isinstance(entry.start, Constant) else None
            return cls(entry.name, entry.aliases, entry.shape, dtype, scheme, entry.reason, value=value)
        return cls(
            entry.name,
            entry.aliases,
            entry.shape,
            dtype,
            decided.scheme,
            entry.reason,
            rationale=decided.reason,
            layout=decided.layout,
            activation=decided.activation,
            distribution=decided.distribution,
            fan_in=decided.fan_in,
            fan_out=decided.fan_out,
            variance=decided.variance,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """How the tensors of a module started: rows in the order of its parameters. Print it for a table.

    `reference` and `model`, an id, say which published model it started from, if it did.
    """

    seed: int
    rows: tuple[Row, ...]
    reference: str | None = None
    model: str | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if name in (row.name, *row.aliases):
                return row
        raise KeyError(name)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The names of the tensors that were left as they are, because nothing says how they start."""
        return tuple(row.name for row in self.rows if row.scheme == "skipped")

    def to_dict(self) -> dict[str, object]:
        """Return the report as JSON has it."""
        origin = {"seed": self.seed, "reference": self.reference, "model": self.model}
        return {**origin, "tensors": [asdict(row) for row in self.rows]}

    def to_json(self, indent: int | None = None) -> str:
        """Write the report as JSON."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def __str__(self) -> str:
        return format_table([COLUMNS, *(format_row(row) for row in self.rows)])


def name_start(start: Action) -> str:
    """Name what a tensor starts as, where it isn't drawn."""
    if isinstance(start, Constant):
        return "constant"
    return "kept" if isinstance(start, Leave) else "skipped"


def format_row(row: Row) -> tuple[str, ...]:
    """Format the cells of a row."""
    cells: Mapping[str, str] = {
        "name": " = ".join((row.name, *row.aliases)),
        "shape": "×".join(map(str, row.shape)),
        "scheme": row.scheme if row.value is None else f"{row.scheme} {row.value:g}",
        "distribution": row.distribution or "",
        "variance": "" if row.variance is None else f"{row.variance:.4g}",
        "activation": row.activation or "",
        "reason": row.reason,
    }
    return tuple(cells[column] for column in COLUMNS)


def format_table(rows: list[tuple[str, ...]]) -> str:
    """Format rows of cells as lines, with columns as wide as they need to be.

    >>> print(format_table([("name", "shape"), ("w", "2×3")]))
    name  shape
    w     2×3
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
