"""Database: the interface that SQLite and PostgreSQL have in common for the store."""

from collections.abc import Hashable
from typing import Protocol

from sqlalchemy import Connection, Engine


class Database(Protocol):
    """A database of the store. Making one connects to nothing."""

    @property
    def reader(self) -> Engine:
        """The engine of connections for reading, where each statement is a transaction."""

    @property
    def writer(self) -> Engine:
        """The engine of connections whose transactions write."""

    def identify(self) -> Hashable:
        """Return a value that identifies the database: another one has another. None if it does not exist."""

    def create(self) -> None:
        """Create the database, empty, unless it exists."""

    def dispose(self) -> None:
        """Close the idle connections."""

    def lock(self, connection: Connection) -> None:
        """Lock out migrations by other processes until the transaction ends."""
