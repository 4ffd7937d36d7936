"""Database: the interface of the store to SQLite and PostgreSQL."""

from collections.abc import Hashable
from typing import Protocol

from sqlalchemy import Connection, Engine


class Database(Protocol):
    """A database of the store. The constructor does not connect."""

    @property
    def reader(self) -> Engine:
        """The engine of connections for reading, where each statement is a transaction."""

    @property
    def writer(self) -> Engine:
        """The engine of connections whose transactions write."""

    def identify(self) -> Hashable:
        """Return a value that is unique to the database, or None if it does not exist."""

    def create(self) -> None:
        """Create an empty database unless it exists."""

    def measure_free_space(self) -> int | None:
        """Return the free bytes of the disk, or None if they are not known here."""

    def dispose(self) -> None:
        """Close the idle connections."""

    def serialize(self, connection: Connection) -> None:
        """Wait for the other transactions that write, and block those that follow until this one ends."""

    def lock(self, connection: Connection) -> None:
        """Block migrations by other processes until the transaction ends."""
