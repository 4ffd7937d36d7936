"""Store: published models and their names, for any number of threads and processes at once."""

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
    """Models and names. Every method may wait for the database, for seconds, and raise StoreUnavailableError.

    What was written is on the disk when the method returns. Nothing is touched before the first call, and a
    call that failed leaves nothing half written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._schema = Schema(database)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the store that the settings say: PostgreSQL where there is a URL, else SQLite in a file."""
        url = settings.database_url.get_secret_value()
        return cls(Postgres(url) if url else Sqlite(settings.data_directory))

    def put_model(self, identity: str, canonical: bytes) -> bool:
        """Keep a model under its id, the SHA-256 of its canonical form, and tell whether it is new."""
        return self._write(lambda connection: queries.add_model(connection, identity, canonical))

    def get_model(self, identity: str) -> bytes | None:
        """Return the canonical form of a model, None where there is none."""
        return self._read(lambda connection: queries.find_model(connection, identity), None)

    def put_name(self, name: ModelName, model: str, author: str, note: str) -> tuple[NameEntry, bool]:
        """Have a name stand for a model, and tell whether it is new; who publishes it first has it.

        Raises NameTakenError where it stands for another or is retired, UnknownModelError.
        """
        entry = NameEntry(name, model, author, note, datetime.now(UTC))
        return self._write(lambda connection: queries.add_name(connection, entry))

    def get_name(self, name: ModelName) -> NameEntry | None:
        """Return what a name stands for, retired or not; None where there is no such name."""
        return self._read(lambda connection: queries.find_name(connection, name), None)

    def list_names(self, prefix: str, after: ModelName | None, limit: int) -> list[NameEntry]:
        """List the names that begin with a prefix, in order, from after one of them, so many at most."""
        return self._read(lambda connection: queries.list_names(connection, prefix, after, limit), [])

    def retire_name(self, name: ModelName, author: str, note: str) -> NameEntry | None:
        """Retire a name for good, and return it; once retired it stays as it is. None where there is none."""
        if self.get_name(name) is None:
            return None
        retired = Retirement(author, note, datetime.now(UTC))
        return self._write(lambda connection: queries.retire_name(connection, name, retired))

    def close(self) -> None:
        """Close the connections that nobody is using."""
        self._database.forget()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            with translate_errors():
                yield
        except StoreUnavailableError:
            self._schema.doubt()
            raise

    def _read(self, find: Callable[[Connection], T], nothing: T) -> T:
        with self._translate_errors():
            if not self._schema.prepare(writing=False):
                return nothing
            with self._database.reader.connect() as connection:
                return find(connection)

    def _write(self, change: Callable[[Connection], T]) -> T:
        with self._translate_errors():
            self._schema.prepare(writing=True)
            try:
                with self._database.writer.begin() as connection:
                    return change(connection)
            except IntegrityError:  # another was first: now theirs is there to be seen
                with self._database.writer.begin() as connection:
                    return change(connection)
