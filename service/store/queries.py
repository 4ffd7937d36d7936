"""Queries: reads and writes of the tables, each in the caller's transaction."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, Select, Tuple, insert, literal, select, tuple_, update

from service.core.models.names import ModelName, NameEntry, Retirement, span_prefix
from service.store.errors import NameTakenError, UnknownModelError
from service.store.tables import ModelRow, NameRow

KEY = (NameRow.team, NameRow.name, NameRow.version)
SELECT_ENTRY = select(
    *KEY,
    NameRow.model,
    NameRow.author,
    NameRow.note,
    NameRow.published_at,
    NameRow.retired_at,
    NameRow.retired_author,
    NameRow.retired_note,
)
Fields = tuple[str, str, str, str, str, str, datetime, datetime | None, str | None, str | None]


def find_model(connection: Connection, identity: str) -> bytes | None:
    """Return the canonical form of a model, or None if it does not exist."""
    canonical = connection.scalar(select(ModelRow.canonical).where(ModelRow.id == identity))
    if not isinstance(canonical, bytes | None):
        raise TypeError("a row of models has a canonical form that is not bytes")
    return canonical


def has_model(connection: Connection, identity: str) -> bool:
    """Return whether a model exists."""
    return connection.scalar(select(literal(1)).where(ModelRow.id == identity)) is not None


def add_model(connection: Connection, identity: str, canonical: bytes) -> None:
    """Add a model. Raises IntegrityError if it exists."""
    connection.execute(insert(ModelRow).values(id=identity, canonical=canonical))


def find_name(connection: Connection, name: ModelName) -> NameEntry | None:
    """Return the entry of a name, or None if it does not exist."""
    row = connection.execute(SELECT_ENTRY.where(_is_row_of(name))).one_or_none()
    return None if row is None else _make_entry(row)


def find_publication(connection: Connection, entry: NameEntry) -> NameEntry | None:
    """Return the existing entry of a name that has the same model, or None if the name is free.

    Raises NameTakenError, UnknownModelError.
    """
    found = find_name(connection, entry.name)
    if found is not None and (found.model != entry.model or found.retired):
        raise NameTakenError(found)
    if found is None and not has_model(connection, entry.model):
        raise UnknownModelError(entry.model)
    return found


def add_name(connection: Connection, entry: NameEntry) -> None:
    """Add a name. Raises IntegrityError if it exists."""
    values = {"model": entry.model, "author": entry.author, "note": entry.note}
    key = entry.name._asdict()
    connection.execute(insert(NameRow).values(**key, **values, published_at=entry.published))


def retire_name(connection: Connection, name: ModelName, retired: Retirement) -> bool:
    """Retire a name unless it is retired. Return whether this changed it."""
    values = {
        "retired_at": retired.when,
        "retired_author": retired.author,
        "retired_note": retired.note,
    }
    query = update(NameRow).where(_is_row_of(name), NameRow.retired_at.is_(None))
    return connection.execute(query.values(values)).rowcount > 0


def list_names(connection: Connection, prefix: str, after: ModelName | None, limit: int) -> list[NameEntry]:
    """List a page of names, in order."""
    return [_make_entry(row) for row in connection.execute(select_names(prefix, after, limit))]


def select_names(prefix: str, after: ModelName | None, limit: int) -> Select[*Fields]:
    """Select a page of names as a range of the primary key, so that its cost does not grow with the table."""
    start, stop = span_prefix(prefix)
    key = tuple_(*KEY)
    is_after = key >= _bind(start) if after is None or after < start else key > _bind(after)
    return SELECT_ENTRY.where(is_after, key < _bind(stop)).order_by(*KEY).limit(limit)


def _is_row_of(name: ModelName) -> ColumnElement[bool]:
    return (NameRow.team == name.team) & (NameRow.name == name.name) & (NameRow.version == name.version)


def _bind(name: ModelName) -> Tuple:
    return tuple_(literal(name.team), literal(name.name), literal(name.version))


def _make_entry(row: Row[*Fields]) -> NameEntry:
    team, name, version, model, author, note, published, when, retirer, reason = row
    if not all(isinstance(text, str) for text in (team, name, version, model, author, note)):
        raise TypeError("a row of names has a column that is not text")
    retired = None if when is None else Retirement(retirer or "", reason or "", when)
    return NameEntry(ModelName(team, name, version), model, author, note, published, retired)
