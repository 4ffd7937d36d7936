"""The screen: results on standard output, messages on standard error."""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import fill
from typing import TextIO

from weightinit.cli.text import HANDLER, fit_encoding, measure_width, shorten_middle
from weightinit.display import clean

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32"}
GAP = "  "
NARROWEST = 12  # the minimum width of a shortened cell


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title, and what happens if the terminal is too narrow.

    Columns with `drop` are left out, the lowest first; then cells of the one that `shrinks` are shortened.
    """

    title: str
    drop: int = 0
    shrinks: bool = False


def prepare_streams() -> None:
    """Make the streams transliterate what their encoding lacks, instead of raising an error.

    A stream that was closed before Python started is None; the null device replaces it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=HANDLER)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; False if it is closed."""
    return stream is not None and not stream.closed and stream.isatty()


def has_colors(stream: TextIO | None) -> bool:
    """Return whether to use colors: on a terminal, without NO_COLOR (no-color.org) and TERM=dumb."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """The output of a command: as JSON if `as_json`, only results if `quiet`."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        self._has_colors = has_colors(sys.stdout)

    @property
    def width(self) -> int | None:
        """The columns of the terminal; None, for no limit, if there is no terminal."""
        return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None

    def write(self, text: str = "", style: str = "") -> None:
        """Write a line of the result."""
        sys.stdout.write(self._paint(clean(text), style) + "\n")

    def write_json(self, value: object) -> None:
        """Write a value as a line of JSON, in ASCII unless the stream is UTF-8."""
        is_ascii = not self._encoding.lower().replace("-", "").startswith("utf")
        sys.stdout.write(json.dumps(value, default=_write_value, ensure_ascii=is_ascii) + "\n")

    def say(self, text: str) -> None:
        """Write a message to standard error, unless quiet."""
        if not self.quiet:
            sys.stdout.flush()
            sys.stderr.write(clean(text) + "\n")

    def write_fields(self, fields: Iterable[tuple[str, object]]) -> None:
        """Write a line for each field, with its name and value."""
        rows = [(self._fit(name), self._fit(value)) for name, value in fields]
        width = max(measure_width(name) for name, _ in rows)
        for name, value in rows:
            line = f"{_pad(name, width)}{GAP}{value}".rstrip()
            if self.width:
                indent = " " * (width + len(GAP))
                line = fill(line, self.width, subsequent_indent=indent, break_long_words=False)
            sys.stdout.write(line + "\n")

    def write_table(
        self, columns: Sequence[Column], rows: Iterable[Sequence[object]], *, titles: bool = True
    ) -> None:
        """Write rows in columns as wide as their longest cell; without titles if quiet."""
        cells = [[self._fit(cell) for cell in row] for row in rows]
        head = [[self._fit(column.title) for column in columns]] if titles and not self.quiet else []
        widths = [max(map(measure_width, column)) for column in zip(*head, *cells, strict=True)]
        shown = fit_columns(columns, widths, self.width)
        for row in head:
            sys.stdout.write(self._paint(self._join(row, shown), "bold") + "\n")
        for row in cells:
            sys.stdout.write(self._join(row, shown) + "\n")

    def _join(self, row: Sequence[str], shown: dict[int, int]) -> str:
        mark = self._fit("…")
        cut = [_pad(shorten_middle(row[index], width, mark), width) for index, width in shown.items()]
        return GAP.join(cut).rstrip()

    def _fit(self, cell: object) -> str:
        return fit_encoding(clean(str(cell)), self._encoding)

    def _paint(self, text: str, style: str) -> str:
        if not style or not text or not self._has_colors:
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def fit_columns(columns: Sequence[Column], widths: Sequence[int], limit: int | None) -> dict[int, int]:
    """Return the widths, by index, of the columns that fit a limit. Empty ones are left out.

    >>> columns = [Column("NAME", shrinks=True), Column("DTYPE", drop=1), Column("SHAPE")]
    >>> fit_columns(columns, [30, 7, 9], 30)
    {0: 19, 2: 9}
    """
    shown = {index: width for index, width in enumerate(widths) if width}
    if limit is None:
        return shown

    def find_excess() -> int:
        return sum(shown.values()) + len(GAP) * (len(shown) - 1) - limit

    for index in sorted(shown, key=lambda index: columns[index].drop):
        if columns[index].drop and find_excess() > 0:
            del shown[index]
    for index, width in shown.items():
        if columns[index].shrinks and find_excess() > 0:
            shown[index] = max(min(NARROWEST, width), width - find_excess())
    return shown


def _pad(text: str, width: int) -> str:
    return text + " " * (width - measure_width(text))


def _write_value(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
