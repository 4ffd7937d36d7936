"""Create the tables of models and names."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "models",
        sa.Column("id", make_text(64), nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
    )
    op.create_table(
        "names",
        sa.Column("team", make_text(100), nullable=False),
        sa.Column("name", make_text(100), nullable=False),
        sa.Column("version", make_text(100), nullable=False),
        sa.Column("model", make_text(64), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("note", sa.String(2000), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.Column("retired_author", sa.String(200)),
        sa.Column("retired_note", sa.String(2000)),
        sa.PrimaryKeyConstraint("team", "name", "version", name="pk_names"),
        sa.ForeignKeyConstraint(["model"], ["models.id"], name="fk_names_model"),
        sa.CheckConstraint(
            "(retired_at IS NULL) = (retired_author IS NULL) "
            "AND (retired_at IS NULL) = (retired_note IS NULL)",
            name="ck_names_retired",
        ),
    )


def make_text(length: int) -> sa.String:
    """Make a text type that is ordered by code points."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
