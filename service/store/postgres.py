"""PostgreSQL: the database that a URL names."""

from collections.abc import Hashable

from sqlalchemy import Connection, Engine, create_engine, make_url, text

POOL_SIZE = 4
CONNECT_SECONDS = 3
POOL_SECONDS = 5
DRIVER = "postgresql+psycopg"
MIGRATION_LOCK = 0x77656967687469  # "weighti": any number that nobody else locks

# What the server gives up after, in milliseconds, and the kernel after, in seconds.
OPTIONS = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=30000"
LIVELINESS = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}


class Postgres:
    """A database of a server. What the URL says of itself, such as `?connect_timeout=10`, goes before."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url).set(drivername=DRIVER)
        given = {str(name) for name in parsed.query}
        own = {name: value for name, value in LIVELINESS.items() if name not in given}
        options = f"{OPTIONS} {parsed.query.get('options', '')}"
        self.writer: Engine = create_engine(
            parsed.difference_update_query(["options"]),
            # Prepared statements do not get along with poolers that hand out another connection each time.
            connect_args={**own, "options": options, "prepare_threshold": None},
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
        )
        self.reader: Engine = self.writer.execution_options(isolation_level="AUTOCOMMIT")

    def identify(self) -> Hashable:
        """Say that there is a database: the server itself says if there is none."""
        return True

    def create(self) -> None:
        """Do nothing: a database is the administrator's to make."""

    def forget(self) -> None:
        """Close the connections that nobody is using."""
        self.writer.dispose()

    def lock(self, connection: Connection) -> None:
        """Take the lock of migrations, and the time that one needs."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.execute(text("SET LOCAL statement_timeout = 0"))
