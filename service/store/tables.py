"""Tables: models and names.

Text is ordered by code points on both databases: SQLite's BINARY collation, PostgreSQL's "C".
"""

from datetime import UTC, datetime

from sqlalchemy import CheckConstraint, DateTime, Dialect, ForeignKey, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

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


METADATA = Base.metadata
