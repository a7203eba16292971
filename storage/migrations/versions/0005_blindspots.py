"""What blind spots are counted by, what captures wait for, and links by hand.

Captures that are there already have the new columns empty; `bouncemx reclassify` fills them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
COLUMNS = ("gateway", "language", "receiving_domain")
UNDETECTABLE = sa.text("detectability = 'undetectable'")
COUNTED = ["detectability", "received_at", "gateway", "receiving_domain", "undetectable_reason", "language"]
DUE = sa.text("due")
STANDING = sa.text("undone_at IS NULL")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("capture", sa.Column(name, sa.Text()))
    op.add_column("capture", sa.Column("hints", DOCUMENT))
    op.create_index("ix_capture_gateway", "capture", ["detectability", "gateway", "received_at"])
    op.create_index("ix_capture_receiving_domain", "capture", ["detectability", "receiving_domain", "received_at"])
    op.create_index(
        "ix_capture_undetectable", "capture", COUNTED, sqlite_where=UNDETECTABLE, postgresql_where=UNDETECTABLE
    )
    op.create_index(op.f("ix_delivery_recipient_key"), "delivery", ["recipient_key"])
    waiting()
    hand_links()


def downgrade() -> None:
    op.drop_table("hand_link")
    op.drop_table("waiting")
    op.drop_index("ix_delivery_recipient_key", "delivery")
    for name in ("undetectable", "receiving_domain", "gateway"):
        op.drop_index(f"ix_capture_{name}", "capture")
    for name in (*COLUMNS, "hints"):
        op.drop_column("capture", name)


def waiting() -> None:
    op.create_table(
        "waiting",
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("capture_id", KEY, nullable=False),
        sa.Column("due", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["capture_id"], ["capture.id"], name=op.f("fk_waiting_capture_id_capture"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("value", "capture_id", name=op.f("pk_waiting")),
    )
    op.create_index(op.f("ix_waiting_capture_id"), "waiting", ["capture_id"])
    op.create_index("ix_waiting_due", "waiting", ["capture_id"], sqlite_where=DUE, postgresql_where=DUE)


def hand_links() -> None:
    op.create_table(
        "hand_link",
        sa.Column("id", KEY, nullable=False),
        sa.Column("capture_id", KEY, nullable=False),
        sa.Column("delivery_id", KEY, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("linked_at", MOMENT, nullable=False),
        sa.Column("undone_at", MOMENT),
        sa.Column("undone_by", sa.Text()),
        sa.Column("undone_why", sa.Text()),
        sa.ForeignKeyConstraint(
            ["capture_id"], ["capture.id"], name=op.f("fk_hand_link_capture_id_capture"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_hand_link_delivery_id_delivery"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_link")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_hand_link_capture_id"), "hand_link", ["capture_id"])
    op.create_index(op.f("ix_hand_link_delivery_id"), "hand_link", ["delivery_id"])
    op.create_index(
        "uq_hand_link_standing",
        "hand_link",
        ["capture_id"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
