"""SQLite: the database in a file of the data directory."""

import os
import sqlite3
import time
from collections.abc import Hashable
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

FILE = "weightinit.sqlite3"
PATIENCE = 3.0  # seconds to wait for another's lock
POOL_SIZE = 4
WRITING = "weightinit_writing"

# WAL with FULL: a commit is on the disk before it is acknowledged (https://www.sqlite.org/pragma.html).
PRAGMAS = ("PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON")


class Sqlite:
    """The file `weightinit.sqlite3`: readers never wait for the writer, nor it for them (WAL)."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self.reader: Engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=PATIENCE,
        )
        self.writer: Engine = self.reader.execution_options(**{WRITING: True})
        event.listen(self.reader, "begin", begin)

    def identify(self) -> Hashable:
        """Return device and inode of the file: a file put in its place is another database."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def create(self) -> None:
        """Make the directory and the file, and have it log ahead (WAL), which it keeps to for good."""
        make_directory(self.path.parent)
        self.path.touch()
        connection = self._connect()
        try:
            deadline = time.monotonic() + PATIENCE
            while not enter_wal(connection, last=time.monotonic() > deadline):
                time.sleep(0.01)
        finally:
            connection.close()

    def forget(self) -> None:
        """Close the connections that nobody is using."""
        self.reader.dispose()

    def lock(self, connection: Connection) -> None:
        """Do nothing: a transaction that writes has the lock from its beginning."""

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",  # never makes a file
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,  # transactions are ours to begin
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
    """Take the lock at the beginning: to take it after a read fails at once where another has written."""
    if connection.get_execution_options().get(WRITING):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def enter_wal(connection: sqlite3.Connection, *, last: bool) -> bool:
    """Have the file log ahead. False where another process is in the way, which SQLite does not wait for."""
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def make_directory(path: Path) -> None:
    """Make a directory and its parents, and have the disk know of each before anything lies in it."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
