"""The table: rows as text."""

from decimal import Decimal

from benchmarks.measure import Comparison, compare, is_reached
from benchmarks.results import Results
from benchmarks.row import Row
from benchmarks.rows import ROWS

HEAD = ("name", "work", "weightinit", "compared with", "result", "target", "reached")


def format_table(results: Results) -> str:
    """Write the table in Markdown; a row that was not measured is marked."""
    lines = [HEAD, tuple("---" for _ in HEAD)]
    for row in ROWS:
        comparison = compare_row(row, results)
        lines.append(format_row(row, comparison) if comparison else format_missing(row))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def compare_row(row: Row, results: Results) -> Comparison | None:
    """Compare what was measured for a row, if it was."""
    if row.name not in results.measured:
        return None
    return compare(results.measured[row.name]["figures"], row.compared, row.goal)


def format_row(row: Row, comparison: Comparison) -> tuple[str, ...]:
    """Write the cells of a row."""
    beside = f"{comparison.peer}: {format_figure(comparison.theirs, row.unit)}" if comparison.peer else "–"
    low, high = comparison.spread
    reached = is_reached(comparison, row.goal, row.target)
    return (
        f"`{row.name}`",
        row.work,
        format_figure(comparison.ours, row.unit),
        beside,
        f"{format_figure(comparison.middle, row.sign)} ({format_number(low)}–{format_number(high)})",
        format_target(row),
        "yes" if reached else "**no**",
    )


def format_missing(row: Row) -> tuple[str, ...]:
    """Write the cells of a row that was not measured."""
    return (f"`{row.name}`", row.work, "not measured yet", row.against or "–", "–", format_target(row), "–")


def format_target(row: Row) -> str:
    """Write a target.

    >>> format_target(ROWS[0])
    '≥ 2.5 ×'
    """
    return f"{'≥' if row.goal == 'at least' else '≤'} {format_figure(row.target, row.sign)}"


def format_figure(value: float, unit: str) -> str:
    """Write a figure with its unit."""
    return f"{format_number(value)} {unit}"


def format_number(value: float) -> str:
    """Write a number with three digits, and no exponent.

    >>> [format_number(value) for value in (12345.6, 123.456, 1.23456, 0.0000123456, -0.5, 0)]
    ['12300', '123', '1.23', '0.0000123', '-0.5', '0']
    """
    return format(Decimal(f"{value:.3g}"), "f")
