"""How deliveries stand, and each revision of that."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "delivery_state",
        sa.Column("delivery_id", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text()),
        sa.Column("type", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("pending_since", MOMENT),
        sa.Column("delivered_at", MOMENT),
        sa.Column("capture_id", KEY),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_state_delivery_id_delivery"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_delivery_state")),
    )
    op.create_index(
        "ix_delivery_state_pending",
        "delivery_state",
        ["pending_since"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "state_change",
        sa.Column("id", KEY, nullable=False),
        sa.Column("delivery_id", KEY, nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text()),
        sa.Column("type", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("capture_id", KEY),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_state_change_delivery_id_delivery"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_change")),
    )
    op.create_index(op.f("ix_state_change_delivery_id"), "state_change", ["delivery_id"])


def downgrade() -> None:
    op.drop_table("state_change")
    op.drop_table("delivery_state")
