"""Migrations: check that the tables have the schema that the code expects, and migrate them to it."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from service.store.database import Database
from service.store.errors import StoreUnavailableError
from service.store.tables import ModelRow

MIGRATIONS = Path(__file__).with_name("migrations")
NEWER = "The storage was migrated by a newer version of the service, and this version cannot use it."
GONE = "The storage is gone. Restore it, or restart the service to start with an empty one."
DAMAGED = "The storage is damaged: it has tables, but no schema version."

# Alembic keeps the current migration in module state.
ALEMBIC_LOCK = threading.Lock()


class Schema:
    """The schema of a database. It is checked once, and again after the database is replaced."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._identity: object = None
        self._is_valid = False
        self._existed = False

    def prepare(self, *, writing: bool) -> bool:
        """Check the schema, and migrate it if necessary. Return False if there are no tables yet.

        Raises StoreUnavailableError if a newer version made the tables or if they are gone, and the errors of
        the database. The next call tries again.
        """
        if self._is_current():
            return True
        with self._lock:
            return self._is_current() or self._check(writing=writing)

    def invalidate(self) -> None:
        """Check the schema again on the next call of `prepare`."""
        self._is_valid = False

    def _is_current(self) -> bool:
        return self._is_valid and self._identity == self._database.identify()

    def _check(self, *, writing: bool) -> bool:
        creating = writing and not self._existed
        if creating:
            self._database.create()
        identity = self._database.identify()
        if identity != self._identity:
            self._is_valid = False
            self._database.dispose()
            self._identity = identity
        self._is_valid = identity is not None and self._has_tables(creating=creating)
        if self._existed and not self._is_valid:
            raise StoreUnavailableError(GONE)
        self._existed = self._is_valid
        return self._is_valid

    def _has_tables(self, *, creating: bool) -> bool:
        with self._database.reader.connect() as connection:
            # Read the tables first: another process may migrate between the two reads.
            has_models = inspect(connection).has_table(ModelRow.__tablename__)
            revisions = read_revisions(connection)
        if has_models and not revisions:
            raise StoreUnavailableError(DAMAGED)
        if not revisions and not creating:
            return False
        if revisions != find_heads():
            migrate(self._database)
        return True


def migrate(database: Database) -> None:
    """Migrate to the newest version unless another process already has. Raises StoreUnavailableError."""
    with ALEMBIC_LOCK, database.writer.begin() as connection:
        database.lock(connection)
        revisions = read_revisions(connection)
        if not revisions <= list_revisions():
            raise StoreUnavailableError(NEWER)
        if revisions != find_heads():
            config = make_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def make_config() -> Config:
    """Make Alembic's configuration, with the directory of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def read_revisions(connection: Connection) -> set[str]:
    """Read the last migration of a database: an empty set if there was none."""
    return set(MigrationContext.configure(connection).get_current_heads())


def find_heads() -> set[str]:
    """Find the newest migration."""
    return set(ScriptDirectory.from_config(make_config()).get_heads())


def list_revisions() -> set[str]:
    """List all migrations."""
    scripts = ScriptDirectory.from_config(make_config())
    return {script.revision for script in scripts.walk_revisions()}
