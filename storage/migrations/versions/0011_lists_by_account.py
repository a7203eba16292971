"""The lists of one account, without a look at all others' rows."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_capture_account_id_id"), "capture", ["account_id", "id"])
    op.create_index(op.f("ix_bounce_account_id_id"), "bounce", ["account_id", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_bounce_account_id_id"), "bounce")
    op.drop_index(op.f("ix_capture_account_id_id"), "capture")
