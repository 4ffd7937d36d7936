"""Tokens: requests to create and list them, and responses about them and the audit trail."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field

from service.api.schemas.statement import UNPRINTABLE, Statement, match_whole
from service.core.access import ALL_TEAMS, MAX_TOKEN_NOTE_LENGTH, SCOPES, AuditEntry, Scope, Secret, Token
from service.core.errors import make_rule_error
from service.core.layer.query import TextParser, parse_integer
from service.core.models.names import SEGMENT, SEGMENT_RULE
from service.core.models.specs import CONTROLS

TEAM = rf"({SEGMENT.pattern}|\*)"
MAX_DAYS = 3650
MAX_ENTRIES_LISTED = 1000


def _check_team(text: str) -> str:
    if text != ALL_TEAMS and not SEGMENT.fullmatch(text):
        raise make_rule_error(f"{SEGMENT_RULE}; or {ALL_TEAMS} for all teams")
    return text


def _check_scopes(values: object) -> object:
    if not isinstance(values, list) or not values or not all(value in SCOPES for value in values):
        raise make_rule_error(f"must be a list of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in values)


def _check_note(text: str) -> str:
    if len(text) > MAX_TOKEN_NOTE_LENGTH or UNPRINTABLE.search(text):
        raise make_rule_error(f"must be at most {MAX_TOKEN_NOTE_LENGTH} printable characters")
    return text


class TokenRequest(Statement):
    """A token to create."""

    team: Annotated[
        str,
        AfterValidator(_check_team),
        Field(
            description="The team whose names the token may change; `*` for all teams.",
            examples=["vision"],
            json_schema_extra=match_whole(TEAM),
        ),
    ]
    scopes: Annotated[
        tuple[Scope, ...],
        BeforeValidator(_check_scopes),
        Field(
            description="What it allows besides reading. `admin` allows all, and to manage tokens.",
            examples=[["publish", "retire"]],
            json_schema_extra={"minItems": 1},
        ),
    ]
    note: Annotated[
        str,
        AfterValidator(_check_note),
        Field(
            description=f"Who or what uses the token: at most {MAX_TOKEN_NOTE_LENGTH} printable characters.",
            examples=["nightly build"],
            json_schema_extra={**match_whole(f"[^{CONTROLS}]*"), "maxLength": MAX_TOKEN_NOTE_LENGTH},
        ),
    ] = ""
    days: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_DAYS,
            description="Days after which the token expires; null for never.",
            examples=[90],
        ),
    ] = None

    def make_token(self, secret: Secret) -> Token:
        """Make the token with a new secret."""
        now = datetime.now(UTC)
        expires = None if self.days is None else now + timedelta(days=self.days)
        return Token(secret.id, secret.digest, self.team, frozenset(self.scopes), self.note, now, expires)


class AuditRequest(Statement):
    """A request for a page of the audit trail."""

    PARSERS: ClassVar[dict[str, TextParser]] = {"after": parse_integer, "limit": parse_integer}

    team: Annotated[
        Annotated[str, AfterValidator(_check_team), Field(json_schema_extra=match_whole(TEAM))] | None,
        Field(description="Only changes to what this team owns.", examples=["vision"]),
    ] = None
    after: Annotated[
        int, Field(ge=0, le=2**63 - 1, description="The page starts after the change with this number.")
    ] = 0
    limit: Annotated[
        int,
        Field(ge=1, le=MAX_ENTRIES_LISTED, description="The largest number of changes in the response."),
    ] = 100


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token without its secret. Times are in UTC."""

    id: str
    team: str
    scopes: tuple[Scope, ...]
    note: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    @classmethod
    def of(cls, token: Token) -> Self:
        """Make the record of a token."""
        scopes = tuple(scope for scope in SCOPES if scope in token.scopes)
        return cls(token.id, token.team, scopes, token.note, token.created, token.expires, token.revoked)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token. Only this response has its text, `token`."""

    token: str
    record: TokenRecord


@dataclass(frozen=True, slots=True)
class CurrentToken:
    """The token of a request, the bytes that its team has published, and how many it may; null for any."""

    record: TokenRecord
    used_bytes: int
    max_bytes: int | None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A change: what was changed, the team that owns it, and the token, address and request that changed it.

    `token` is null for changes without a token, `peer` and `request` for those by the command line.
    """

    number: int
    when: datetime
    action: str
    subject: str
    team: str
    token: str | None
    peer: str | None
    request: str | None

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Make the record of a change."""
        actor = entry.actor
        return cls(
            entry.number,
            entry.when,
            entry.action,
            entry.subject,
            entry.team,
            actor.token or None,
            actor.peer or None,
            actor.request or None,
        )
