"""SQLite: a database file in the data directory."""

import os
import shutil
import sqlite3
import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

FILE = "weightinit.sqlite3"
LOCK_TIMEOUT = 3.0  # seconds
FILE_MODE = 0o600  # other users of the machine need no token to read a file; SQLite's own files get it too
POOL_SIZE = 4

# In WAL mode with FULL, a commit is on the disk before it returns (https://www.sqlite.org/pragma.html).
PRAGMAS = ("PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON")


class Sqlite:
    """The file `weightinit.sqlite3` in WAL mode: readers and a writer do not block each other.

    Only one process writes at a time; the others wait for LOCK_TIMEOUT.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        # Writers that wait for the lock keep their connections, so readers have a pool of their own.
        self.reader = self._make_engine()
        self.writer = self._make_engine()
        event.listen(self.writer, "begin", begin)

    def identify(self) -> Hashable:
        """Return the device and inode of the file, or None. A replaced file is another database."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def create(self) -> None:
        """Create the directory and the file, and switch the file to WAL mode, which persists."""
        make_directory(self.path.parent)
        make_file(self.path)
        connection = self._connect()
        try:
            deadline = time.monotonic() + LOCK_TIMEOUT
            while not enable_wal(connection, last=time.monotonic() > deadline):
                time.sleep(0.01)
        finally:
            connection.close()

    def measure_free_space(self) -> int:
        """Return the free bytes of the disk of the data directory."""
        return shutil.disk_usage(self.path.parent).free

    def dispose(self) -> None:
        """Close the idle connections."""
        self.reader.dispose()
        self.writer.dispose()

    def serialize(self, connection: Connection) -> None:
        """Do nothing: a transaction that writes holds the lock from its start."""

    def lock(self, connection: Connection) -> None:
        """Do nothing: a transaction that writes holds the lock from its start."""

    def _make_engine(self) -> Engine:
        return create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=LOCK_TIMEOUT,
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",  # does not create the file
            uri=True,
            timeout=LOCK_TIMEOUT,
            isolation_level=None,  # transactions start in begin()
            check_same_thread=False,
        )
        try:
            for pragma in PRAGMAS:
                connection.execute(pragma)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def begin(connection: Connection) -> None:
    """Take the write lock at the start of a transaction that writes.

    Upgrading a read lock fails if another process has written since the read.
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def enable_wal(connection: sqlite3.Connection, *, last: bool) -> bool:
    """Switch the file to WAL mode. Return False if another process has locked it.

    SQLite does not wait for that lock. Raises sqlite3.OperationalError for other errors, and on the last try.
    """
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def make_file(path: Path) -> None:
    """Make a file that only its owner can read, unless it exists.

    If root makes it, by a command before the first start, it belongs to the owner of the directory, as
    SQLite's own files belong to the owner of the database. Otherwise the service could not open it.
    """
    with suppress(FileExistsError):
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
        try:
            if os.geteuid() == 0:
                status = path.parent.stat()
                os.fchown(file, status.st_uid, status.st_gid)
        finally:
            os.close(file)


def make_directory(path: Path) -> None:
    """Make a directory and its parents, and sync each to disk before anything is written to it."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
