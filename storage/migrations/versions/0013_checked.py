"""A check of thousands of addresses reads an index of its own; what has expired is not looked at again."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CHECKED = ["address", "account_id", "state", "type", "category", "reason", "since", "expires_at", "held_until"]


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_suppression_checked", "suppression", CHECKED)
    else:
        op.create_index("ix_suppression_address", "suppression", ["address"], postgresql_using="hash")
    ending("state = 'active' AND expires_at IS NOT NULL")


def downgrade() -> None:
    ending("expires_at IS NOT NULL")
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.drop_index("ix_suppression_checked" if sqlite else "ix_suppression_address", "suppression")


def ending(given: str) -> None:
    op.drop_index("ix_suppression_expires_at", "suppression")
    where = sa.text(given)
    columns = ["expires_at"]
    op.create_index("ix_suppression_expires_at", "suppression", columns, sqlite_where=where, postgresql_where=where)
