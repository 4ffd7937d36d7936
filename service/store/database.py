"""Databases: what the store needs of one, whichever it is."""

from collections.abc import Hashable
from typing import Protocol

from sqlalchemy import Connection, Engine


class Database(Protocol):
    """A database that the store lies in. Nothing is touched before it is asked for."""

    @property
    def reader(self) -> Engine:
        """What makes connections for reading; each statement is on its own."""

    @property
    def writer(self) -> Engine:
        """What makes connections whose transactions write."""

    def identify(self) -> Hashable:
        """Say which database is there now: another one is unequal. None where there is none yet."""

    def create(self) -> None:
        """Make the database, empty, unless it is there."""

    def forget(self) -> None:
        """Close the connections that nobody is using."""

    def lock(self, connection: Connection) -> None:
        """Keep other processes from migrating until the transaction ends."""
