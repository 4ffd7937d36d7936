"""Errors of the store."""

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.core.models.names import NameEntry


class NameTakenError(Exception):
    """The name stands for another model, or is retired. `entry` is the existing entry."""

    def __init__(self, entry: NameEntry) -> None:
        self.entry = entry
        super().__init__(entry)

    def __str__(self) -> str:
        name, model = self.entry.name, self.entry.model
        return f"{name} is retired" if self.entry.retired else f"{name} stands for the model {model}"


class UnknownModelError(Exception):
    """No model has this id."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(model)

    def __str__(self) -> str:
        return f"no model has the id {self.model}"


class QuotaError(Exception):
    """A team would store more bytes than it may."""

    def __init__(self, team: str, used: int, size: int, quota: int) -> None:
        self.team, self.used, self.size, self.quota = team, used, size, quota
        super().__init__(team, used, size, quota)

    def __str__(self) -> str:
        owner = f"The team {self.team} has" if self.team else "Publications without a token have"
        return (
            f"{owner} used {self.used} of {self.quota} bytes, and this needs {self.size}. "
            "An administrator can raise WEIGHTINIT_MAX_TEAM_BYTES."
        )


class StoreFullError(Exception):
    """The disk of the store has less free space than the floor of the settings."""

    def __init__(self, free: int, floor: int) -> None:
        self.free, self.floor = free, floor
        super().__init__(free, floor)

    def __str__(self) -> str:
        return (
            f"The storage has {self.free} bytes of free space, and keeps {self.floor} free. "
            "An administrator can free space, or lower WEIGHTINIT_MIN_FREE_BYTES."
        )


class TooManyTokensError(Exception):
    """There are as many tokens as there may be."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(most)

    def __str__(self) -> str:
        return f"There are {self.most} tokens, which is the limit. Revoke those that nobody uses."


class InvalidTokenError(Exception):
    """A token was revoked or has expired since the request was authorized."""

    def __init__(self, token: str) -> None:
        self.token = token
        super().__init__(token)

    def __str__(self) -> str:
        return f"The token {self.token} is revoked or has expired."


class StoreUnavailableError(Exception):
    """The store is unavailable. The message is safe to send: it has no password, host or statement."""


LOG = logging.getLogger("service.store")
PASSWORD = re.compile(r"(?<=:)[^\s@]*(?=@)|(?<=password=)\S+", re.IGNORECASE)

LOCKED = "is locked by another process"
FULL = "has no room left"
READ_ONLY = "cannot be written to"
DAMAGED = "is damaged"
UNREACHABLE = "cannot be reached"
SLOW = "did not respond in time"

# Primary result code of SQLite → what it means (https://www.sqlite.org/rescode.html).
SQLITE_CODES: dict[int, str] = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: "is on a disk that fails or is full",
}
# SQLSTATE of PostgreSQL, or its prefix → what it means (PostgreSQL manual, appendix A). The longest wins.
SQLSTATES: dict[str, str] = {
    "08": UNREACHABLE,
    "25006": READ_ONLY,
    "42501": "does not grant the permissions that the service needs",
    "53": "has no resources left",
    "53100": FULL,
    "53300": "has too many connections",
    "55P03": LOCKED,
    "57": "was shut down",
    "57014": SLOW,
    "XX": DAMAGED,
}


# libpq gives no SQLSTATE of a connection that the server refuses, only PostgreSQL's message, here in English.
REFUSALS = re.compile(r"too many (clients|connections)|connection slots are reserved")
TOO_MANY_CONNECTIONS = "53300"


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise errors of the database, its driver or the disk as StoreUnavailableError.

    Logs the original message without passwords.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, TypeError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = PASSWORD.sub("***", " ".join(str(cause).split()))
        LOG.warning("the store failed: %s: %s", type(cause).__name__, text)
        raise StoreUnavailableError(f"The storage {explain(cause)}.") from None


def explain(cause: BaseException) -> str:
    """Return the meaning of an error, by its code.

    >>> explain(OSError(28, "No space left on device"))
    'cannot be written to'
    """
    if isinstance(cause, sqlite3.Error):
        # The low byte of an extended code is the primary one; errors of the sqlite3 module have no code.
        return SQLITE_CODES.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, "failed")
    if isinstance(cause, PoolTimeoutError):
        return SLOW
    if isinstance(cause, OSError):
        return READ_ONLY
    if isinstance(cause, ValueError | TypeError):
        return DAMAGED  # a column has a value that the store never writes
    if isinstance(cause, SQLAlchemyError):
        return "failed"
    state = getattr(cause, "sqlstate", None) or "08"
    if state == "08" and REFUSALS.search(str(cause)):
        state = TOO_MANY_CONNECTIONS
    return next((SQLSTATES[state[:size]] for size in (5, 2) if state[:size] in SQLSTATES), "failed")
