"""Access: who may do what. A token has scopes for one team, or for all."""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple, Self, get_args

Scope = Literal["read", "publish", "retire", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
ALL_TEAMS = "*"
TOKEN_ID = re.compile(r"[0-9a-f]{12}")
TOKEN = re.compile(rf"wi_({TOKEN_ID.pattern})_([A-Za-z0-9_-]{{43}})")
ID_BYTES, SECRET_BYTES = 6, 32
MAX_TOKEN_NOTE_LENGTH = 200


class Secret(NamedTuple):
    """The text of a token: `wi_`, its id, and 256 random bits in base64url (RFC 4648, section 5)."""

    id: str
    text: str

    @classmethod
    def make(cls) -> Self:
        """Make a new random token."""
        identity = secrets.token_hex(ID_BYTES)
        return cls(identity, f"wi_{identity}_{secrets.token_urlsafe(SECRET_BYTES)}")

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse the text of a token. Returns None if it is not one."""
        match = TOKEN.fullmatch(text)
        return cls(match[1], text) if match else None

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the text, which is all that the store keeps.

        A slow hash protects secrets that can be guessed. 256 random bits cannot, and a slow hash would let
        anyone buy processor time with invalid tokens.
        """
        return sha256(self.text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret: what it allows, for which team, and until when (UTC)."""

    id: str
    digest: bytes
    team: str
    scopes: frozenset[Scope]
    note: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def matches(self, secret: Secret) -> bool:
        """Return whether this is the token of a secret. Takes the same time wherever they differ."""
        return hmac.compare_digest(self.digest, secret.digest)

    def is_valid(self, now: datetime) -> bool:
        """Return whether the token is neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def allows(self, scope: Scope) -> bool:
        """Return whether the token has a scope. Every token may read, and `admin` includes all scopes."""
        return scope == "read" or scope in self.scopes or "admin" in self.scopes

    def covers(self, team: str) -> bool:
        """Return whether the token is for a team."""
        return self.team in {ALL_TEAMS, team}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: the token's id and team, empty without a token, the peer, and the request's id."""

    token: str = ""
    team: str = ""
    peer: str = ""
    request: str = ""


Action = Literal["publish model", "publish name", "retire name", "create token", "revoke token"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change: its number, when (UTC), what was changed, the team that owns it, and who changed it."""

    number: int
    when: datetime
    action: Action
    subject: str
    team: str
    actor: Actor
