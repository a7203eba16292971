"""Suppressions wait until it is known that no wave brought them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suppression", sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))
    waiting = sa.text("held_until IS NOT NULL")
    op.create_index(
        op.f("ix_suppression_held_until"),
        "suppression",
        ["held_until"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_suppression_held_until"), "suppression")
    op.drop_column("suppression", "held_until")
