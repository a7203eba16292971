"""The first proof of a failure is found without a look at all the reports that repeat it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_bounce_proof_of_delivery"),
        "bounce",
        ["delivery_id", "type", "capture_id"],
        sqlite_where=sa.text("proven = 1"),
        postgresql_where=sa.text("proven"),
    )
    op.create_index(
        op.f("ix_bounce_proof_of_token"),
        "bounce",
        ["address_key", "token", "type", "capture_id"],
        sqlite_where=sa.text("proven = 1 AND delivery_id IS NULL"),
        postgresql_where=sa.text("proven AND delivery_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_bounce_proof_of_token"), "bounce")
    op.drop_index(op.f("ix_bounce_proof_of_delivery"), "bounce")
