"""Store: published models, their names, and tokens. Threads and processes can share one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from service.core.access import ALL_TEAMS, TOKEN_ID, Actor, AuditEntry, Token
from service.core.models.names import ModelName, NameEntry, Retirement
from service.settings import Settings
from service.store import access, queries
from service.store.database import Database
from service.store.errors import StoreFullError, StoreUnavailableError, TooManyTokensError, translate_errors
from service.store.migrate import Schema
from service.store.postgres import Postgres
from service.store.sqlite import Sqlite

T = TypeVar("T")


NOBODY = Actor()
MAX_TOKENS = 1000  # that are not revoked, so that a list of them is short
ROW_BYTES = 1024  # what a row costs besides its text, with its indexes and its entry in the audit trail


class Store:
    """Models, names and tokens. Every method may block for seconds and raise StoreUnavailableError.

    Writes are atomic, together with their entry in the audit trail, and on disk when the method returns. They
    raise InvalidTokenError if the actor's token is no longer valid. The first call opens the database.
    `quota` is the bytes that each team may publish, `free_space` those that the disk must keep free.
    """

    def __init__(self, database: Database, quota: int | None = None, free_space: int = 0) -> None:
        self._database, self._quota, self._free_space = database, quota, free_space
        self._schema = Schema(database)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the store of the settings: PostgreSQL if they have a URL, otherwise a SQLite file."""
        url = settings.database_url.get_secret_value()
        database: Database = Postgres(url) if url else Sqlite(settings.data_directory)
        return cls(database, settings.max_team_bytes or None, settings.min_free_bytes)

    def put_model(self, identity: str, canonical: bytes, actor: Actor = NOBODY) -> bool:
        """Store a model under its id, the SHA-256 of its canonical form. Return whether it is new.

        It counts for the actor's team. Raises QuotaError, StoreFullError.
        """

        def put(connection: Connection) -> bool:
            if queries.has_model(connection, identity):
                return False
            self._charge(connection, actor.team, len(canonical))
            queries.add_model(connection, identity, canonical)
            access.add_audit(connection, datetime.now(UTC), "publish model", identity, actor.team, actor)
            return True

        return self._write(put, actor)

    def get_model(self, identity: str) -> bytes | None:
        """Return the canonical form of a model, or None if it does not exist."""
        return self._read(lambda connection: queries.find_model(connection, identity), None)

    def put_name(
        self, name: ModelName, model: str, author: str, note: str, actor: Actor = NOBODY
    ) -> tuple[NameEntry, bool]:
        """Publish a name for a model. Return its entry and whether it is new.

        It counts for the team of the name. Raises NameTakenError if the name is retired or stands for another
        model, UnknownModelError, QuotaError, StoreFullError.
        """
        entry = NameEntry(name, model, author, note, datetime.now(UTC))

        def put(connection: Connection) -> tuple[NameEntry, bool]:
            if found := queries.find_publication(connection, entry):
                return found, False
            self._charge(connection, name.team, len(f"{name}{author}{note}".encode()))
            queries.add_name(connection, entry)
            access.add_audit(connection, entry.published, "publish name", str(name), name.team, actor)
            return entry, True

        return self._write(put, actor)

    def get_name(self, name: ModelName) -> NameEntry | None:
        """Return the entry of a name, retired or not, or None if it does not exist."""
        return self._read(lambda connection: queries.find_name(connection, name), None)

    def list_names(self, prefix: str, after: ModelName | None, limit: int) -> list[NameEntry]:
        """List up to `limit` names that start with a prefix, in order, after the name `after`."""
        return self._read(lambda connection: queries.list_names(connection, prefix, after, limit), [])

    def retire_name(self, name: ModelName, author: str, note: str, actor: Actor = NOBODY) -> NameEntry | None:
        """Retire a name and return its entry, or None if it does not exist. A retired name is unchanged."""
        if self.get_name(name) is None:
            return None
        retired = Retirement(author, note, datetime.now(UTC))

        def retire(connection: Connection) -> NameEntry | None:
            if queries.retire_name(connection, name, retired):
                access.add_audit(connection, retired.when, "retire name", str(name), name.team, actor)
            return queries.find_name(connection, name)

        return self._write(retire, actor)

    def put_token(self, token: Token, actor: Actor = NOBODY) -> None:
        """Store a new token. Raises TooManyTokensError, QuotaError, StoreFullError.

        One that a team makes itself counts for the team: the tokens that it has revoked need space too.
        """

        def put(connection: Connection) -> None:
            if access.count_tokens(connection) >= MAX_TOKENS:
                raise TooManyTokensError(MAX_TOKENS)
            if actor.team in {"", ALL_TEAMS}:
                self._check_space()
            else:
                self._charge(connection, actor.team, len(token.note.encode()))
            access.add_token(connection, token)
            access.add_audit(connection, token.created, "create token", token.id, token.team, actor)

        self._write(put, actor)

    def get_token(self, identity: str) -> Token | None:
        """Return a token, valid or not, or None if it does not exist."""
        if not TOKEN_ID.fullmatch(identity):  # PostgreSQL has no text with NUL, and neither has surrogates
            return None
        return self._read(lambda connection: access.find_token(connection, identity), None)

    def has_tokens(self) -> bool:
        """Return whether a token was ever created."""
        return self._read(access.has_tokens, default=False)

    def list_tokens(self, team: str | None = None) -> list[Token]:
        """List the tokens that are not revoked, of a team or of all, by their time of creation."""
        return self._read(lambda connection: access.list_tokens(connection, team), [])

    def revoke_token(self, identity: str, actor: Actor = NOBODY) -> Token | None:
        """Revoke a token and return it, or None if it does not exist. A revoked token is unchanged."""
        if self.get_token(identity) is None:
            return None

        def revoke(connection: Connection) -> Token | None:
            now = datetime.now(UTC)
            changed = access.revoke_token(connection, identity, now)
            token = access.find_token(connection, identity)
            if changed and token:
                access.add_audit(connection, now, "revoke token", identity, token.team, actor)
            return token

        return self._write(revoke, actor)

    def list_audit(self, team: str | None, after: int, limit: int) -> list[AuditEntry]:
        """List up to `limit` changes after a number, of a team or of all, oldest first."""
        return self._read(lambda connection: access.list_audit(connection, team, after, limit), [])

    def get_usage(self, team: str) -> int:
        """Return the bytes that a team has published."""
        return self._read(lambda connection: access.find_usage(connection, team), 0)

    def close(self) -> None:
        """Close the idle connections."""
        self._database.dispose()

    def _charge(self, connection: Connection, team: str, size: int) -> None:
        self._check_space()
        access.charge_team(connection, team, size + ROW_BYTES, self._quota)

    def _check_space(self) -> None:
        free = self._database.measure_free_space()
        if free is not None and free < self._free_space:
            raise StoreFullError(free, self._free_space)

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

    def _write(self, change: Callable[[Connection], T], actor: Actor) -> T:
        with self._translate_errors():
            self._schema.prepare(writing=True)
            try:
                return self._write_once(change, actor)
            except IntegrityError:  # another process was first, and its row is visible now
                return self._write_once(change, actor)

    def _write_once(self, change: Callable[[Connection], T], actor: Actor) -> T:
        with self._database.writer.begin() as connection:
            self._database.serialize(connection)
            # The request was authorized before its body, which may take a minute to arrive.
            access.check_actor(connection, actor, datetime.now(UTC))
            return change(connection)
