"""Store: published models and their names. Threads and processes can share one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from service.core.models.names import ModelName, NameEntry, Retirement
from service.settings import Settings
from service.store import queries
from service.store.database import Database
from service.store.errors import StoreUnavailableError, translate_errors
from service.store.migrate import Schema
from service.store.postgres import Postgres
from service.store.sqlite import Sqlite

T = TypeVar("T")


class Store:
    """Models and names. Every method may block for seconds and raise StoreUnavailableError.

    Writes are atomic, and on disk when the method returns. The first call opens the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._schema = Schema(database)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the store of the settings: PostgreSQL if they have a URL, otherwise a SQLite file."""
        url = settings.database_url.get_secret_value()
        return cls(Postgres(url) if url else Sqlite(settings.data_directory))

    def put_model(self, identity: str, canonical: bytes) -> bool:
        """Store a model under its id, the SHA-256 of its canonical form. Return whether it is new."""
        return self._write(lambda connection: queries.add_model(connection, identity, canonical))

    def get_model(self, identity: str) -> bytes | None:
        """Return the canonical form of a model, or None if it does not exist."""
        return self._read(lambda connection: queries.find_model(connection, identity), None)

    def put_name(self, name: ModelName, model: str, author: str, note: str) -> tuple[NameEntry, bool]:
        """Publish a name for a model. Return its entry and whether it is new.

        Raises NameTakenError if the name is retired or stands for another model, and UnknownModelError.
        """
        entry = NameEntry(name, model, author, note, datetime.now(UTC))
        return self._write(lambda connection: queries.add_name(connection, entry))

    def get_name(self, name: ModelName) -> NameEntry | None:
        """Return the entry of a name, retired or not, or None if it does not exist."""
        return self._read(lambda connection: queries.find_name(connection, name), None)

    def list_names(self, prefix: str, after: ModelName | None, limit: int) -> list[NameEntry]:
        """List up to `limit` names that start with a prefix, in order, after the name `after`."""
        return self._read(lambda connection: queries.list_names(connection, prefix, after, limit), [])

    def retire_name(self, name: ModelName, author: str, note: str) -> NameEntry | None:
        """Retire a name and return its entry, or None if it does not exist. A retired name is unchanged."""
        if self.get_name(name) is None:
            return None
        retired = Retirement(author, note, datetime.now(UTC))
        return self._write(lambda connection: queries.retire_name(connection, name, retired))

    def close(self) -> None:
        """Close the idle connections."""
        self._database.dispose()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            with translate_errors():
                yield
        except StoreUnavailableError:
            self._schema.invalidate()
            raise

    def _read(self, find: Callable[[Connection], T], default: T) -> T:
        with self._translate_errors():
            if not self._schema.prepare(writing=False):
                return default
            with self._database.reader.connect() as connection:
                return find(connection)

    def _write(self, change: Callable[[Connection], T]) -> T:
        with self._translate_errors():
            self._schema.prepare(writing=True)
            try:
                with self._database.writer.begin() as connection:
                    return change(connection)
            except IntegrityError:  # another process was first, and its row is visible now
                with self._database.writer.begin() as connection:
                    return change(connection)
