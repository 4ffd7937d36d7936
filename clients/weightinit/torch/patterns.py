"""Patterns: values that a user gives by the names of parameters.

A pattern is a glob (`*` matches dots too) or a compiled regular expression, and has to match the whole name.
The first that matches decides.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import translate
from typing import Generic, TypeVar

from weightinit.patterns import ModelRejected

Pattern = str | re.Pattern[str]
T = TypeVar("T")


class Patterns(Generic[T]):
    """Values by pattern, which came in under the name of an argument."""

    def __init__(self, argument: str, values: Mapping[Pattern, T] | None) -> None:
        self._argument = argument
        self._values = dict(values or {})
        self._matched: set[Pattern] = set()

    def find(self, names: Iterable[str]) -> tuple[str, T] | None:
        """Find the first pattern that matches one of the names: how to cite it, and its value."""
        names = list(names)
        hits = [pattern for pattern in self._values if any(matches(pattern, name) for name in names)]
        self._matched.update(hits)
        return (self._cite(hits[0]), self._values[hits[0]]) if hits else None

    def check_matched(self, names: Iterable[str]) -> None:
        """Check that every pattern has matched. Raises ModelRejected, with the nearest of the names."""
        names = list(names)
        for pattern in self._values:
            if pattern not in self._matched:
                near = get_close_matches(read_text(pattern), names, n=3, cutoff=0.5)
                advice = f". Did you mean {' or '.join(near)}?" if near else ""
                raise ModelRejected(f"{self._cite(pattern)} matches nothing that is drawn{advice}")

    def _cite(self, pattern: Pattern) -> str:
        return f"{self._argument}[{read_text(pattern)!r}]"


def matches(pattern: Pattern, name: str) -> bool:
    """Tell whether a pattern matches a name.

    >>> matches("blocks.*.weight", "blocks.0.mlp.weight"), matches(re.compile(r"fc[0-9]"), "fc10")
    (True, False)
    """
    compiled = re.compile(translate(pattern)) if isinstance(pattern, str) else pattern
    return compiled.fullmatch(name) is not None


def read_text(pattern: Pattern) -> str:
    """Return the text of a pattern."""
    return pattern if isinstance(pattern, str) else pattern.pattern
