"""Messages: how tensors are listed, and the warnings of those that a plan leaves."""

import warnings
from collections.abc import Iterable, Mapping, Sequence

from weightinit.adapters.rules import StaleCopyWarning, UnpublishedTensorWarning

MAX_LISTED = 8


def shorten(names: Iterable[str]) -> str:
    """List names, the first few of them.

    >>> shorten("abcdefghij")
    'a, b, c, d, e, f, g, h and 2 more'
    """
    listed = list(names)
    more = len(listed) - MAX_LISTED
    return ", ".join(listed[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def warn_of_copies(copies: Mapping[str, str], stacklevel: int = 6) -> None:
    """Warn of copies that are kept, while what they are copies of is initialized, by both names."""
    message = (
        f"{shorten(copies)}: kept. They are copies of {shorten(copies.values())}, which are "
        "initialized, and will differ: copy them again, or keep both with rules={name: None}."
    )
    warnings.warn(StaleCopyWarning(message), stacklevel=stacklevel)


def warn_of_unpublished(names: Sequence[str], stacklevel: int = 3) -> None:
    """Warn of the tensors of a model's state that are not published, by their names."""
    if names:
        message = (
            f"{shorten(names)}: not published, since they are of several values, or not known. "
            "What is pulled lacks them: they stay as the model that loads it made them."
        )
        warnings.warn(UnpublishedTensorWarning(message), stacklevel=stacklevel + 1)
