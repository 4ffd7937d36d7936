"""Plots: pictures of the results, for the documentation."""

import math
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from benchmarks.curves import Points
from benchmarks.lines import Law, find_laws, fit_law
from benchmarks.results import Results
from benchmarks.row import Row
from benchmarks.rows import ROWS
from benchmarks.table import compare_row, format_number

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#555555")  # told apart by all eyes: Okabe and Ito, 2008
REACHED, MISSED = "#0072b2", "#d55e00"
LEAST = 0.01  # of what is compared, so that a logarithm can show it
UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "weightinit",
    "figure.constrained_layout.use": True,
}


def save_plots(results: Results, folder: Path, suffix: str = "svg") -> list[str]:
    """Draw all for which there are results and return their names."""
    mpl.use("agg")
    figures = {}
    with mpl.rc_context(STYLE):
        if any(row.name in results.measured for row in ROWS):
            figures["targets"] = draw_targets(results)
        for name, draw in (
            ("growth-size", draw_costs),
            ("growth-readers", draw_costs),
            ("growth-slices", draw_slices),
        ):
            if name in results.measured:
                figures[name] = draw(name, results.measured[name]["figures"])
        for name, figure in figures.items():
            folder.mkdir(parents=True, exist_ok=True)
            metadata: dict[str, Any] = {"Date": None} if suffix == "svg" else {}
            figure.savefig(folder / f"{name}.{suffix}", metadata=metadata, dpi=110, facecolor="white")
            plt.close(figure)
    return list(figures)


def draw_targets(results: Results) -> Figure:
    """Draw how far each row is beyond its target: 1 reaches it, and right is better."""
    compared = [(row, found) for row in ROWS if (found := compare_row(row, results))]
    figure, axes = plt.subplots(figsize=(7.2, 0.6 + 0.24 * len(compared)))
    for place, (row, found) in enumerate(compared):
        low, middle, high = (score(row, value) for value in (found.spread[0], found.middle, found.spread[1]))
        colour = REACHED if middle >= 1 else MISSED
        axes.plot([low, high], [place, place], color=colour, linewidth=2, alpha=0.4, solid_capstyle="round")
        axes.plot(middle, place, "o", color=colour, markersize=5)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(compared)), [row.name for row, _ in compared])
    axes.set_ylim(len(compared) - 0.5, -0.5)
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("times the target, least, median and largest: right of 1 it is reached")
    return figure


def score(row: Row, value: float) -> float:
    """Return how many times a value reaches its target."""
    return max(value, LEAST) / row.target if row.goal == "at least" else row.target / max(value, LEAST)


def draw_costs(name: str, points: Points) -> Figure:
    """Draw time and memory against work, each with its line, both axes logarithmic."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 2.9))
    label, step, show = AXES[name]
    for axes, law, corner in zip(panels, find_laws(name), ("lower right", "upper left"), strict=True):
        draw_series(axes, law, points, COLOURS[0], f"{law.what}, measured")
        xs = [x for x, _ in points[law.series]]
        axes.set_xscale("log", base=2)
        axes.set_xticks(xs[::step])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))
        axes.set_xlabel(label)
        middles = [law.factor * median(ys) for _, ys in points[law.series]]
        axes.set_yscale("log")
        axes.set_ylim(10 ** math.floor(math.log10(min(middles))), 10 ** math.ceil(math.log10(max(middles))))
        axes.set_ylabel(f"{law.what}, {law.y_unit}")
        if max(middles) < 10 * min(middles):
            axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        format_ticks(axes.yaxis)
        axes.legend(frameon=False, loc=corner)
    return figure


def draw_slices(name: str, points: Points) -> Figure:
    """Draw the time of an element against the length of runs, in units of the contiguous speed's."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    unit = median(points["contiguous"][0][1])
    for law, colour in zip(find_laws(name), COLOURS, strict=False):
        draw_series(axes, law, points, colour, law.series, unit)
    axes.axhline(1, color="#333333", linewidth=1)
    axes.axhline(1 / 0.6, color="#333333", linewidth=1, linestyle=":", label="0.6 × the contiguous speed")
    axes.set_xscale("log", base=2)
    axes.set_xticks([x for x, _ in points[find_laws(name)[0].series]][::2])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yscale("log")
    axes.set_ylim(0.8, 1.5 * max(median(ys) / unit for series in points.values() for _, ys in series))
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 3, 5)))
    format_ticks(axes.yaxis)
    axes.set_xlabel("elements that follow each other in a slice")
    axes.set_ylabel("time of an element, contiguous = 1")
    axes.legend(frameon=False, loc="upper right")
    return figure


def draw_series(axes: Axes, law: Law, points: Points, colour: str, label: str, unit: float = 1.0) -> None:
    """Draw the rounds of a series as bars, their medians as points, and the fitted line."""
    series = points[law.series]
    middles = [law.factor * median(ys) / unit for _, ys in series]
    lows = [m - law.factor * min(ys) / unit for m, (_, ys) in zip(middles, series, strict=True)]
    highs = [law.factor * max(ys) / unit - m for m, (_, ys) in zip(middles, series, strict=True)]
    xs = [x for x, _ in series]
    axes.errorbar(xs, middles, [lows, highs], fmt="o", color=colour, markersize=4, elinewidth=1, label=label)
    line, first, last = fit_law(law, points), law.first, xs[-1]
    smooth = [first * (last / first) ** (step / 60) for step in range(61)]
    fitted = [line.at(law.scale(x)) / unit for x in smooth]
    axes.plot(
        smooth, fitted, color=colour, linewidth=1, alpha=0.6, label="fitted line" if unit == 1 else None
    )


def format_ticks(axis: Axis) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, and none between them."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def format_size(size: float) -> str:
    """Write a number of bytes.

    >>> format_size(2**36)
    '64 GiB'
    """
    name, unit = next(((name, unit) for name, unit in UNITS.items() if size >= unit), ("B", 1))
    return f"{size / unit:g} {name}"


# curve → what its horizontal axis is, which of the points have a tick, and how that is written
AXES = {
    "growth-size": ("size of the tensor", 3, format_size),
    "growth-readers": ("readers at once", 2, format_number),
}
