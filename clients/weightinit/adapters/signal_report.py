"""Reports of checks: the signals and gradients of a model as a table, HTML, JSON and a plot."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from importlib import import_module
from typing import Any, Literal

from weightinit.adapters.report import find_row, format_table
from weightinit.display import MAX_HTML_ROWS, fit_line, format_shape, make_html_fields
from weightinit.spec.layer import describe

Flag = Literal["vanishes", "explodes", "dead", "saturated", "zero", "not finite", "no gradient"]
FLAGS = {
    "vanishes": "signal or gradient has less than 1/100 of the variance that it started with",
    "explodes": "signal or gradient has more than 100 times the variance that it started with",
    "dead": "more than 9 of 10 outputs are zero for every sample",
    "saturated": "more than half of the outputs are within 1 % of the activation's bounds",
    "zero": "all outputs of the layer are zero",
    "not finite": "an output or a gradient is infinite or NaN",
    "no gradient": "the layer receives no gradient, or only zeros",
}
COLUMNS = ("layer", "kind", "shape", "mean", "variance", "ratio", "gradient", "flags")


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One call of a layer or activation.

    `variance` and `mean` are those of the outputs, over all samples and units; `ratio` is the variance
    over that of the previous layer, or for an activation, of the previous activation. `gradient` is the
    variance of the gradient with respect to the outputs, if there is one.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: float
    variance: float
    ratio: float | None
    gradient: float | None
    flags: tuple[Flag, ...]
    layer: bool

    def __repr__(self) -> str:
        numbers = {"variance": self.variance, "ratio": self.ratio, "gradient": self.gradient}
        found = [f"{name} {number:.3g}" for name, number in numbers.items() if number is not None]
        call = f"{describe(self.name)} {fit_line(self.kind)} {format_shape(self.shape)}"
        return f"<SignalRow {call}: {', '.join([*found, *self.flags])}>"

    def _repr_html_(self) -> str:
        """Return the fields as a table, for notebooks."""
        return make_html_fields(self)


@dataclass(frozen=True, slots=True)
class SignalReport:
    """The signals and gradients of a model: one row per call, in order. Print it for a table."""

    rows: tuple[SignalRow, ...]

    def __iter__(self) -> Iterator[SignalRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> SignalRow:
        return find_row({row.name: row for row in self.rows[::-1]}, name, "layer")

    @property
    def layers(self) -> tuple[SignalRow, ...]:
        """The rows of layers, which have a kernel, without the activations."""
        return tuple(row for row in self.rows if row.layer)

    @property
    def flagged(self) -> tuple[SignalRow, ...]:
        """The rows that have flags."""
        return tuple(row for row in self.rows if row.flags)

    def summarize(self) -> str:
        """Return the numbers of layers, activations and flags in a line."""
        counts = {flag: sum(flag in row.flags for row in self.rows) for flag in FLAGS}
        found = ", ".join(f"{count} {flag}" for flag, count in counts.items() if count)
        others = len(self) - len(self.layers)
        return f"{len(self.layers)} layers, {others} activations: {found or 'nothing flagged'}"

    def to_dict(self) -> dict[str, object]:
        """Return the report as a dictionary for JSON; numbers that are not finite are None."""
        rows = [{key: make_finite(value) for key, value in asdict(row).items()} for row in self.rows]
        return {"summary": self.summarize(), "rows": rows}

    def to_json(self, indent: int | None = None) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def __repr__(self) -> str:
        return f"<SignalReport: {self.summarize()}>"

    def __str__(self) -> str:
        return "\n".join([format_table([COLUMNS, *map(format_signal, self.rows)]), "", self.summarize()])

    def to_html(self) -> str:
        """Return the report as an HTML table, with the meaning of each flag as a tooltip."""
        return write_html(self, len(self))

    def _repr_html_(self) -> str:
        """Return the table for notebooks, with the first rows of many."""
        return write_html(self, MAX_HTML_ROWS)

    def plot(self) -> Any:  # noqa: ANN401 - a figure of matplotlib, which need not be installed
        """Draw the logarithms of the variances of signal and gradient by layer; return the figure.

        Flagged layers are marked. Raises ImportError without matplotlib.
        """
        return draw_variances(self)


def write_html(report: SignalReport, most: int) -> str:
    """Return the first rows of a report as HTML, and the number of the rest."""
    head = "".join(f"<th>{column}</th>" for column in COLUMNS)
    body = "".join(map(format_html_row, report.rows[:most]))
    more = f"<p>and {len(report) - most} more</p>" if len(report) > most else ""
    return (
        f"<p>{escape(report.summarize())}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
    )


def make_finite(value: object) -> object:
    """Return a value; None for infinity and NaN, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_signal(row: SignalRow) -> tuple[str, ...]:
    """Format the cells of a row."""
    numbers = (row.mean, row.variance, row.ratio, row.gradient)
    cells = ("" if number is None else f"{number:.3g}" for number in numbers)
    return (row.name, row.kind, "×".join(map(str, row.shape)), *cells, ", ".join(row.flags))


def format_html_row(row: SignalRow) -> str:
    """Format a row of an HTML table; one with flags is highlighted."""
    *cells, _ = format_signal(row)
    flags = ", ".join(f'<span title="{escape(FLAGS[flag])}">{escape(flag)}</span>' for flag in row.flags)
    style = ' style="background:#fdd;color:#000"' if row.flags else ""
    return f"<tr{style}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + f"<td>{flags}</td></tr>"


def draw_variances(report: SignalReport) -> Any:  # noqa: ANN401 - as above
    """Draw two lines: the variance of the outputs of each layer, and that of the gradient."""
    try:
        figures = import_module("matplotlib.figure")
    except ImportError as error:
        raise ImportError("plot needs matplotlib: pip install 'weightinit[plot]'") from error
    rows = report.layers
    figure = figures.Figure(figsize=(max(6.4, min(20, 0.28 * len(rows) + 2)), 4.8), layout="constrained")
    axes = figure.add_subplot()
    lines = {
        "outputs": ("o-", [take_logarithm(row.variance) for row in rows]),
        "gradient": ("s--", [take_logarithm(row.gradient) for row in rows]),
    }
    for label, (style, values) in lines.items():
        axes.plot(range(len(rows)), values, style, label=label, markersize=4)
    for index, row in enumerate(rows):
        if row.flags:
            axes.axvspan(index - 0.5, index + 0.5, color="tab:red", alpha=0.15, linewidth=0)
    if any(row.flags for row in rows):
        axes.fill([], [], color="tab:red", alpha=0.15, label="flagged")
    step = math.ceil(len(rows) / 60) or 1
    names = [row.name or row.kind for row in rows]
    axes.set_xticks(range(0, len(rows), step), names[::step], rotation=90, fontsize=7)
    axes.set(title="Variance of signal and gradient", xlabel="layer", ylabel="log₁₀ variance")
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    return figure


def take_logarithm(variance: float | None) -> float:
    """Return the decimal logarithm of a variance; NaN, a gap in the plot, if there is none."""
    return math.log10(variance) if variance and math.isfinite(variance) else math.nan
