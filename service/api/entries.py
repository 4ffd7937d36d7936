"""Entries: names as they are sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from service.store import NameEntry, Retirement


@dataclass(frozen=True, slots=True)
class Entry:
    """A name, the id of the model that it stands for, who published it, why, and when.

    `retired` says who took the name out of use, why, and when; null while it is in use.
    """

    name: str
    model: str
    author: str
    note: str
    published: datetime
    retired: Retirement | None

    @classmethod
    def of(cls, entry: NameEntry) -> Self:
        """Write an entry of the store."""
        return cls(str(entry.name), entry.model, entry.author, entry.note, entry.published, entry.retired)


class NameRetiredError(Exception):
    """A name is out of use; `entry` is what it stood for."""

    def __init__(self, entry: NameEntry) -> None:
        self.entry = entry
        super().__init__(entry)

    def __str__(self) -> str:
        note = self.entry.retired.note if self.entry.retired else ""
        return f"{self.entry.name} is retired{note and ': '}{note}"
