"""Create the tables of access tokens, of the audit trail and of what each team stores."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ROW_BYTES = 1024  # what a row costs besides its text, as in service.store.store when this was written


def upgrade() -> None:
    """Create the tables, and count what is stored: models for no team, names for their team."""
    op.create_table(
        "tokens",
        sa.Column("id", make_text(12), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("team", make_text(100), nullable=False),
        sa.Column("scopes", sa.String(100), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("subject", make_text(302), nullable=False),
        sa.Column("team", make_text(100), nullable=False),
        sa.Column("token", make_text(12), nullable=False),
        sa.Column("token_team", make_text(100), nullable=False),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("request", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_index("ix_audit_team", "audit", ["team", "number"])
    usage = op.create_table(
        "usage",
        sa.Column("team", make_text(100), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("team", name="pk_usage"),
    )
    count_stored(usage)


def count_stored(usage: sa.Table) -> None:
    """Count the bytes of models and names that are stored already."""
    models = sa.table("models", sa.column("canonical", sa.LargeBinary))
    names = sa.table("names", sa.column("team", sa.String))
    size = sa.func.coalesce(sa.func.sum(sa.func.length(models.c.canonical) + ROW_BYTES), 0)
    counts = [
        sa.select(sa.literal(""), size),
        sa.select(names.c.team, sa.func.count() * ROW_BYTES).group_by(names.c.team),
    ]
    for query in counts:
        op.execute(usage.insert().from_select(["team", "bytes"], query))


def make_text(length: int) -> sa.String:
    """Make a text type that is ordered by code points."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
