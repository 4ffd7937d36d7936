"""Tables: models, names, tokens, the audit trail, and what each team stores.

Text is ordered by code points on both databases: SQLite's BINARY collation, PostgreSQL's "C".
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from service.core.access import MAX_TOKEN_NOTE_LENGTH
from service.core.models.names import MAX_AUTHOR_LENGTH, MAX_NOTE_LENGTH, MAX_SEGMENT_LENGTH


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, even in databases without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Convert a time to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return the time in UTC. A time without a zone is in UTC."""
        if value is None or value.tzinfo is None:
            return None if value is None else value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


def make_text(length: int) -> String:
    """Make a text type that is ordered by code points."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The tables of the store."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


class ModelRow(Base):
    """A model: the SHA-256 of its canonical form, and that form."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(make_text(64), primary_key=True)
    canonical: Mapped[bytes] = mapped_column(LargeBinary)


class NameRow(Base):
    """A name, its model, and its retirement, if any."""

    __tablename__ = "names"
    __table_args__ = (
        CheckConstraint(
            "(retired_at IS NULL) = (retired_author IS NULL) "
            "AND (retired_at IS NULL) = (retired_note IS NULL)",
            name="retired",
        ),
    )

    team: Mapped[str] = mapped_column(make_text(MAX_SEGMENT_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(make_text(MAX_SEGMENT_LENGTH), primary_key=True)
    version: Mapped[str] = mapped_column(make_text(MAX_SEGMENT_LENGTH), primary_key=True)
    model: Mapped[str] = mapped_column(make_text(64), ForeignKey("models.id"))
    author: Mapped[str] = mapped_column(String(MAX_AUTHOR_LENGTH))
    note: Mapped[str] = mapped_column(String(MAX_NOTE_LENGTH))
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retired_author: Mapped[str | None] = mapped_column(String(MAX_AUTHOR_LENGTH))
    retired_note: Mapped[str | None] = mapped_column(String(MAX_NOTE_LENGTH))


class TokenRow(Base):
    """A token: the SHA-256 of its text, what it allows, for which team, and until when."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(make_text(12), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    team: Mapped[str] = mapped_column(make_text(MAX_SEGMENT_LENGTH))
    scopes: Mapped[str] = mapped_column(String(100))  # separated by spaces
    note: Mapped[str] = mapped_column(String(MAX_TOKEN_NOTE_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditRow(Base):
    """A change: what was changed, the team that owns it, and who changed it."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_team", "team", "number"),)

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(make_text(3 * MAX_SEGMENT_LENGTH + 2))
    team: Mapped[str] = mapped_column(make_text(MAX_SEGMENT_LENGTH))
    token: Mapped[str] = mapped_column(make_text(12))
    token_team: Mapped[str] = mapped_column(make_text(MAX_SEGMENT_LENGTH))
    peer: Mapped[str] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(String(128))


class UsageRow(Base):
    """The bytes that a team has published. The team is empty for what was published without a token."""

    __tablename__ = "usage"

    team: Mapped[str] = mapped_column(make_text(MAX_SEGMENT_LENGTH), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)


METADATA = Base.metadata
