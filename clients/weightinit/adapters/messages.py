"""Messages: format lists of tensors, and warn of tensors that a plan leaves as they are."""

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence

from weightinit.adapters.rules import StaleCopyWarning, UnpublishedTensorWarning

MAX_LISTED = 8
PACKAGE = __name__.partition(".")[0]


def shorten(names: Iterable[str]) -> str:
    """Join names, with the number of those after the first few.

    >>> shorten("abcdefghij")
    'a, b, c, d, e, f, g, h and 2 more'
    """
    listed = list(names)
    more = len(listed) - MAX_LISTED
    return ", ".join(listed[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def warn_caller(warning: Warning) -> None:
    """Issue a warning for the line that called this package."""
    frame, level = sys._getframe(), 1  # noqa: SLF001 - warnings count frames in the same way
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)


def warn_of_copies(copies: Mapping[str, str]) -> None:
    """Warn of kept copies of initialized tensors, given the original's name by the copy's."""
    message = (
        f"{shorten(copies)}: kept, but copies of {shorten(copies.values())}, which are "
        "initialized, so the two differ: copy them again, or keep both with rules={name: None}."
    )
    warn_caller(StaleCopyWarning(message))


def warn_of_unpublished(names: Sequence[str]) -> None:
    """Warn of the tensors of a model's state that are not published, by their names."""
    if names:
        message = (
            f"{shorten(names)}: not published, because their values differ or are unknown. "
            "A pulled file lacks them: the model that loads it keeps its own."
        )
        warn_caller(UnpublishedTensorWarning(message))
