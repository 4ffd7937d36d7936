"""Queries of tokens, of the audit trail, and of what each team stores, each in the caller's transaction."""

from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Row, func, insert, literal, select, update

from service.core.access import SCOPES, Action, Actor, AuditEntry, Token
from service.store.errors import InvalidTokenError, QuotaError
from service.store.tables import AuditRow, TokenRow, UsageRow

SELECT_TOKEN = select(
    TokenRow.id,
    TokenRow.digest,
    TokenRow.team,
    TokenRow.scopes,
    TokenRow.note,
    TokenRow.created_at,
    TokenRow.expires_at,
    TokenRow.revoked_at,
)
TokenFields = tuple[str, bytes, str, str, str, datetime, datetime | None, datetime | None]
SELECT_AUDIT = select(
    AuditRow.number,
    AuditRow.at,
    AuditRow.action,
    AuditRow.subject,
    AuditRow.team,
    AuditRow.token,
    AuditRow.token_team,
    AuditRow.peer,
    AuditRow.request,
)
AuditFields = tuple[int, datetime, str, str, str, str, str, str, str]


def find_token(connection: Connection, identity: str) -> Token | None:
    """Return a token, valid or not, or None if it does not exist."""
    row = connection.execute(SELECT_TOKEN.where(TokenRow.id == identity)).one_or_none()
    return None if row is None else _make_token(row)


def check_actor(connection: Connection, actor: Actor, now: datetime) -> None:
    """Check that the token of an actor, if any, is still valid. Raises InvalidTokenError."""
    if not actor.token:
        return
    token = find_token(connection, actor.token)
    if token is None or not token.is_valid(now):
        raise InvalidTokenError(actor.token)


def has_tokens(connection: Connection) -> bool:
    """Return whether a token was ever created."""
    return connection.scalar(select(literal(1)).select_from(TokenRow).limit(1)) is not None


def count_tokens(connection: Connection) -> int:
    """Count the tokens that are not revoked."""
    return connection.scalar(select(func.count()).where(TokenRow.revoked_at.is_(None))) or 0


def list_tokens(connection: Connection, team: str | None) -> list[Token]:
    """List the tokens that are not revoked, of a team or of all, by their time of creation."""
    query = SELECT_TOKEN.where(TokenRow.revoked_at.is_(None))
    if team is not None:
        query = query.where(TokenRow.team == team)
    return [_make_token(row) for row in connection.execute(query.order_by(TokenRow.created_at, TokenRow.id))]


def add_token(connection: Connection, token: Token) -> None:
    """Add a token. Raises IntegrityError if its id exists."""
    values = {
        "id": token.id,
        "digest": token.digest,
        "team": token.team,
        "scopes": " ".join(sorted(token.scopes)),
        "note": token.note,
        "created_at": token.created,
        "expires_at": token.expires,
    }
    connection.execute(insert(TokenRow).values(values))


def revoke_token(connection: Connection, identity: str, when: datetime) -> bool:
    """Revoke a token unless it is revoked. Return whether this changed it."""
    query = update(TokenRow).where(TokenRow.id == identity, TokenRow.revoked_at.is_(None))
    return connection.execute(query.values(revoked_at=when)).rowcount > 0


def add_audit(
    connection: Connection, when: datetime, action: Action, subject: str, team: str, actor: Actor
) -> None:
    """Add a change to the audit trail."""
    values = {
        "at": when,
        "action": action,
        "subject": subject,
        "team": team,
        "token": actor.token,
        "token_team": actor.team,
        "peer": actor.peer,
        "request": actor.request,
    }
    connection.execute(insert(AuditRow).values(values))


def list_audit(connection: Connection, team: str | None, after: int, limit: int) -> list[AuditEntry]:
    """List up to `limit` changes after a number, of a team or of all, oldest first."""
    query = SELECT_AUDIT.where(AuditRow.number > after)
    if team is not None:
        query = query.where(AuditRow.team == team)
    return [_make_entry(row) for row in connection.execute(query.order_by(AuditRow.number).limit(limit))]


def find_usage(connection: Connection, team: str) -> int:
    """Return the bytes that a team has published."""
    used = connection.scalar(select(UsageRow.bytes).where(UsageRow.team == team))
    return 0 if used is None else used


def charge_team(connection: Connection, team: str, size: int, quota: int | None) -> None:
    """Add bytes to what a team has published. Raises QuotaError, and IntegrityError after a race."""
    query = update(UsageRow).where(UsageRow.team == team)
    if quota is not None:
        query = query.where(UsageRow.bytes + size <= quota)
    if connection.execute(query.values(bytes=UsageRow.bytes + size)).rowcount:
        return
    used = find_usage(connection, team)
    if quota is not None and used + size > quota:
        raise QuotaError(team, used, size, quota)
    connection.execute(insert(UsageRow).values(team=team, bytes=size))


def _make_token(row: Row[*TokenFields]) -> Token:
    identity, digest, team, scopes, note, created, expires, revoked = row
    kinds = ((digest, bytes), (team, str), (scopes, str), (note, str))
    if not all(isinstance(value, kind) for value, kind in kinds):
        raise TypeError("a row of tokens has a column of another type")
    known = {scope for scope in SCOPES if scope in scopes.split()}
    return Token(identity, digest, team, frozenset(known), note, created, expires, revoked)


def _make_entry(row: Row[*AuditFields]) -> AuditEntry:
    number, at, action, subject, team, *actor = row
    return AuditEntry(number, at, cast("Action", action), subject, team, Actor(*actor))
