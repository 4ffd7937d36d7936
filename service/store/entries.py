"""Entries: what the store knows of a name."""

from dataclasses import dataclass
from datetime import datetime

from service.core.naming import ModelName


@dataclass(frozen=True, slots=True)
class Retirement:
    """Who took a name out of use, why, and when (UTC)."""

    author: str
    note: str
    when: datetime


@dataclass(frozen=True, slots=True)
class NameEntry:
    """A name, the id of the model that it stands for, who published it, why, and when (UTC)."""

    name: ModelName
    model: str
    author: str
    note: str
    published: datetime
    retired: Retirement | None = None
