"""The deliveries of an account are listed without sorting all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("account_id", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE delivery SET account_id = (SELECT account_id FROM message WHERE id = delivery.message_id)")
    op.create_index(op.f("ix_delivery_account_id_id"), "delivery", ["account_id", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_delivery_account_id_id"), "delivery")
    op.drop_column("delivery", "account_id")
