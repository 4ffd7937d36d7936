"""Display: format the client's objects as a line for a prompt, and as an HTML table for a notebook.

Names in models are untrusted input: they are quoted in lines and escaped in HTML.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING

from weightinit.spec.layer import shorten

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_HTML_ROWS = 100


def format_shape(shape: Sequence[int]) -> str:
    """Format a shape.

    >>> format_shape((784, 300)), format_shape(())
    ('784×300', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"


def format_value(value: object) -> str:
    """Format a value for people: shapes with ×, other tuples with commas, numbers with six digits.

    >>> format_value((784, 300)), format_value(2 / 3), format_value(("a", "b"))
    ('784×300', '0.666667', 'a, b')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        is_shape = all(isinstance(item, int) for item in value)
        return format_shape(value) if value and is_shape else ", ".join(map(format_value, value))
    return str(value)


def clean(text: str) -> str:
    r"""Replace the unprintable characters of untrusted text, such as line breaks and escapes, by spaces.

    >>> clean("\x1b[2Jred"), clean("two\nlines")
    (' [2Jred', 'two lines')
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def fit_line(text: str) -> str:
    """Cut text to a readable length, and clean it."""
    return clean(shorten(text))


def make_html_fields(value: "DataclassInstance") -> str:
    """Return an HTML table of the fields of a dataclass, without those that are None or empty."""
    given = ((row.name, getattr(value, row.name)) for row in fields(value))
    rows = ((name, format_value(found)) for name, found in given if found is not None and found != ())
    body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table><caption>{escape(type(value).__name__)}</caption><tbody>{body}</tbody></table>"


def make_html_table(columns: Iterable[str], rows: Sequence[Sequence[str]], total: int) -> str:
    """Return an HTML table of the first of `total` rows of cells, and the number of the rest."""
    shown = rows[:MAX_HTML_ROWS]
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in shown)
    more = f"<p>and {total - len(shown)} more</p>" if total > len(shown) else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
