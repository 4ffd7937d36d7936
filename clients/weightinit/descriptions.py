"""Descriptions: what was received, in text that fits a line however long it was."""

import reprlib

LONGEST_TEXT = 80
MOST_ITEMS = 8
DEEPEST = 2

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = LONGEST_TEXT
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = MOST_ITEMS
_REPR.maxlevel = DEEPEST


def describe(value: object) -> str:
    """Describe a value as Python writes it, with its middle or its rest left out where it is long.

    >>> describe((784, 300)), describe([1] * 1000)
    ('(784, 300)', '[1, 1, 1, 1, 1, 1, 1, 1, ...]')
    """
    return _REPR.repr(value)


def shorten(text: str) -> str:
    """Cut text to a readable length.

    >>> shorten("fc1"), len(shorten("fc1" * 1000))
    ('fc1', 81)
    """
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
