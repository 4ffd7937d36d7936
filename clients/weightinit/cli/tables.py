"""Tables: what a command shows a person, in columns."""

import sys
from collections.abc import Iterable, Sequence


def print_table(rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns, each as wide as its longest cell but for the last."""
    cells = [[clean(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def clean(text: str) -> str:
    r"""Leave out what a stranger's words might do to a terminal.

    >>> clean("\x1b[2Jred")
    ' [2Jred'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)
