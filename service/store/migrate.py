"""Schema: whether the tables are what the code expects, and making them so."""

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
NEWER = "The storage was migrated by a newer version of the service; this one cannot use it."
GONE = "The storage is gone. It has to be put back, or the service started again to begin with an empty one."
DAMAGED = "The storage is damaged: its tables do not say which version of the service made them."

# Alembic keeps the migration under way in a module of its own.
ONE_AT_A_TIME = threading.Lock()


class Schema:
    """The tables of a database; they are looked at once, and again where the database became another."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._identity: object = None
        self._good = False
        self._seen = False

    def prepare(self, *, writing: bool) -> bool:
        """Have the tables there and as expected. False if there were never any, which only writing makes.

        Raises StoreUnavailableError where a newer version made them or they are there no more, and what the
        database raises; then the next call tries again.
        """
        if self._is_current():
            return True
        with self._lock:
            return self._is_current() or self._look(writing=writing)

    def doubt(self) -> None:
        """Have the tables looked at again: something is wrong, and they may be."""
        self._good = False

    def _is_current(self) -> bool:
        return self._good and self._identity == self._database.identify()

    def _look(self, *, writing: bool) -> bool:
        making = writing and not self._seen
        if making:
            self._database.create()
        identity = self._database.identify()
        if identity != self._identity:
            self._good = False
            self._database.forget()
            self._identity = identity
        self._good = identity is not None and self._have_tables(making=making)
        if self._seen and not self._good:
            raise StoreUnavailableError(GONE)
        self._seen = self._good
        return self._good

    def _have_tables(self, *, making: bool) -> bool:
        with self._database.reader.connect() as connection:
            has_models = inspect(connection).has_table(ModelRow.__tablename__)  # before others migrate
            revisions = read_revisions(connection)
        if has_models and not revisions:
            raise StoreUnavailableError(DAMAGED)
        if not revisions and not making:
            return False
        if revisions != find_heads():
            migrate(self._database)
        return True


def migrate(database: Database) -> None:
    """Migrate to the newest version, unless another process just has. Raises StoreUnavailableError."""
    with ONE_AT_A_TIME, database.writer.begin() as connection:
        database.lock(connection)
        revisions = read_revisions(connection)
        if not revisions <= list_revisions():
            raise StoreUnavailableError(NEWER)
        if revisions != find_heads():
            config = make_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def make_config() -> Config:
    """Make Alembic's configuration, which is none but where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def read_revisions(connection: Connection) -> set[str]:
    """Read which migration was the last; empty where there was none."""
    return set(MigrationContext.configure(connection).get_current_heads())


def find_heads() -> set[str]:
    """Find the newest migration there is."""
    return set(ScriptDirectory.from_config(make_config()).get_heads())


def list_revisions() -> set[str]:
    """List all migrations there are."""
    scripts = ScriptDirectory.from_config(make_config())
    return {script.revision for script in scripts.walk_revisions()}
