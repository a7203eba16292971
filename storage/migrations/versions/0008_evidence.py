"""What was heard of a delivery, so that it can be judged again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("bounce", sa.Column("heard", sa.Text()))
    op.create_table(
        "arrival",
        sa.Column("capture_id", KEY, nullable=False),
        sa.Column("delivery_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["capture_id"], ["capture.id"], name=op.f("fk_arrival_capture_id_capture"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_arrival_delivery_id_delivery"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("capture_id", "delivery_id", name=op.f("pk_arrival")),
    )
    op.create_index(op.f("ix_arrival_delivery_id"), "arrival", ["delivery_id"])


def downgrade() -> None:
    op.drop_table("arrival")
    op.drop_column("bounce", "heard")
