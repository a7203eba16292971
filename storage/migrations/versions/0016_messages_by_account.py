"""The messages of an account are listed without sorting all of them."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_message_account_id_id"), "message", ["account_id", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_message_account_id_id"), "message")
