"""The report: docs/performance.md and its plots, out of the results."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from string import Template

from benchmarks.curves import CURVES
from benchmarks.lines import describe_fit, find_laws
from benchmarks.measure import is_reached
from benchmarks.processes import ROOT
from benchmarks.results import LATEST, TRIAL, Results
from benchmarks.rows import ROWS
from benchmarks.table import compare_row, format_figure, format_number, format_table, format_target

TEMPLATE = ROOT / "benchmarks" / "performance.md"
DOCS = ROOT / "docs"
NOTHING = "Not measured yet."


def write_report(*, quick: bool) -> int:
    """Write page and plots: into docs/, or beside the results where sizes were small."""
    from benchmarks.plots import save_plots  # whose library is there only to plot with

    results = Results.read(TRIAL if quick else LATEST)
    folder = TRIAL.parent if quick else DOCS
    plots = save_plots(results, folder / "performance")
    page = render_page(results, plots)
    (folder / "performance.md").write_text(page, "utf-8")
    print(f"wrote {folder / 'performance.md'}")
    return 0


def render_page(results: Results, plots: list[str]) -> str:
    """Fill in the template."""
    parts = {
        "machine": list_facts(results.machine),
        "versions": ", ".join(f"{name} {number}" for name, number in results.versions.items()) or NOTHING,
        "when": describe_runs(results),
        "table": format_table(results),
        "missed": list_missed(results),
        "contestants": list_contestants(results),
        "targets": show_plot("targets", "how far each figure is beyond its target", plots),
    }
    for curve in CURVES:
        word = curve.name.replace("-", "_")
        parts[word] = describe_curve(curve.name, results)
        parts[f"{word}_plot"] = show_plot(curve.name, curve.work, plots)
    return Template(TEMPLATE.read_text("utf-8")).substitute(parts)


def list_facts(machine: Mapping[str, str]) -> str:
    """List what the machine is."""
    return "\n".join(f"- {name}: {text}" for name, text in machine.items()) or NOTHING


def describe_runs(results: Results) -> str:
    """Return the line with the date and the command of the measurement."""
    dates = sorted(found["date"] for found in results.measured.values())
    commands = sorted({found["command"] for found in results.measured.values()})
    if not dates:
        return NOTHING
    span = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return f"{span} UTC, by {', '.join(f'`{command}`' for command in commands)}"


def list_missed(results: Results) -> str:
    """List the rows that miss their target, plainly."""
    lines = []
    for row in ROWS:
        found = compare_row(row, results)
        if found and not is_reached(found, row.goal, row.target):
            reach = f"{format_figure(found.middle, row.sign)}; the target is {format_target(row)}"
            lines.append(f"- `{row.name}`, {row.work}: {reach}")
    if not results.measured:
        return NOTHING
    return "\n".join(lines) or "Nothing: all targets are reached."


def list_contestants(results: Results) -> str:
    """List the medians of all contestants, where there were more than two."""
    lines = []
    for row in ROWS:
        figures = results.measured.get(row.name, {}).get("figures", {})
        if len(figures) > 2:
            medians = sorted(((median(values), name) for name, values in figures.items()), reverse=True)
            texts = [f"{name} {format_number(value)}" for value, name in medians]
            lines.append(f"- `{row.name}`, {row.unit}: {', '.join(texts)}")
    return "\n".join(lines) or NOTHING


def describe_curve(name: str, results: Results) -> str:
    """Describe the lines of a curve."""
    if name not in results.measured:
        return NOTHING
    points = results.measured[name]["figures"]
    return "\n".join(describe_fit(law, points) for law in find_laws(name))


def show_plot(name: str, text: str, plots: list[str]) -> str:
    """Show a plot that there is."""
    return f"![{text}]({Path('performance') / name}.svg)" if name in plots else NOTHING
