"""PostgreSQL: a database at a URL."""

from collections.abc import Hashable

from sqlalchemy import Connection, Engine, create_engine, make_url, text

POOL_SIZE = 4
CONNECT_TIMEOUT = 3  # seconds
POOL_TIMEOUT = 5  # seconds
DRIVER = "postgresql+psycopg"
# "weighti" and "weightj" in ASCII, unlike the locks of other applications.
MIGRATION_LOCK, WRITE_LOCK = 0x77656967687469, 0x7765696768746A
LOCK = text("SELECT pg_advisory_xact_lock(:key)")

# Timeouts of the server and tcp_user_timeout are in milliseconds, those of the connection in seconds.
OPTIONS = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=30000"
CONNECTION_DEFAULTS = {
    "connect_timeout": CONNECT_TIMEOUT,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}


class Postgres:
    """A PostgreSQL database. Parameters of the URL, such as `?connect_timeout=10`, override the defaults."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url).set(drivername=DRIVER)
        given = {str(name) for name in parsed.query}
        own = {name: value for name, value in CONNECTION_DEFAULTS.items() if name not in given}
        options = f"{OPTIONS} {parsed.query.get('options', '')}"
        self._url = parsed.difference_update_query(["options"])
        # Prepared statements fail behind a pooler that changes the connection with each transaction.
        self._arguments = {**own, "options": options, "prepare_threshold": None}
        # Writers that wait for a lock keep their connections, so readers have a pool of their own.
        self.reader = self._make_engine().execution_options(isolation_level="AUTOCOMMIT")
        self.writer = self._make_engine()

    def identify(self) -> Hashable:
        """Return True. If the database does not exist, connecting raises an error."""
        return True

    def create(self) -> None:
        """Do nothing: an administrator creates the database."""

    def measure_free_space(self) -> None:
        """Return None: SQL does not show the disk of the database server."""

    def dispose(self) -> None:
        """Close the idle connections."""
        self.reader.dispose()
        self.writer.dispose()

    def _make_engine(self) -> Engine:
        return create_engine(
            self._url,
            connect_args=self._arguments,
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
        )

    def serialize(self, connection: Connection) -> None:
        """Take the write lock until the transaction ends, as SQLite does.

        Without it, a transaction could commit a change that precedes one already read in the audit trail,
        and check a quota or a number of tokens that another one is about to change.
        """
        connection.execute(LOCK, {"key": WRITE_LOCK})

    def lock(self, connection: Connection) -> None:
        """Take the migration lock, and disable the statement timeout until the transaction ends."""
        connection.execute(LOCK, {"key": MIGRATION_LOCK})
        connection.execute(text("SET LOCAL statement_timeout = 0"))
