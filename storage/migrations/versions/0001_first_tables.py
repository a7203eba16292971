"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    accounts()
    messages()
    deliveries()
    captures()
    bounces()
    suppressions()
    positions()


def downgrade() -> None:
    for table in ("position", "suppression", "bounce", "capture", "delivery", "message", "account"):
        op.drop_table(table)


def accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
        sqlite_autoincrement=True,
    )


def messages() -> None:
    op.create_table(
        "message",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("envelope_id", sa.Text()),
        sa.Column("subject", sa.Text()),
        sa.Column("campaign", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_message_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("account_id", "message_id", name=op.f("uq_message_account_id_message_id")),
    )
    op.create_index(op.f("ix_message_envelope_id"), "message", ["envelope_id"])
    op.create_index(op.f("ix_message_message_id"), "message", ["message_id"])


def deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", KEY, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("recipient_key", sa.Text(), nullable=False),
        sa.Column("token", sa.Text()),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_delivery_message_id_message")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("token", name=op.f("uq_delivery_token")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_delivery_message_id_recipient_key", "delivery", ["message_id", "recipient_key"])
    op.create_index(
        "uq_delivery_tokenless",
        "delivery",
        ["message_id", "recipient"],
        unique=True,
        sqlite_where=sa.text("token IS NULL"),
        postgresql_where=sa.text("token IS NULL"),
    )


def captures() -> None:
    op.create_table(
        "capture",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("reverse_path", sa.Text(), nullable=False),
        sa.Column("forward_paths", DOCUMENT, nullable=False),
        sa.Column("helo", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("tls", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detectability", sa.Text(), nullable=False),
        sa.Column("notice_form", sa.Text()),
        sa.Column("undetectable_reason", sa.Text()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text()),
        sa.Column("delivery_id", KEY),
        sa.Column("account_id", sa.Integer()),
        sa.Column("reporting_mta", sa.Text()),
        sa.Column("report", DOCUMENT, nullable=False),
        sa.Column("recipients", DOCUMENT, nullable=False),
        sa.Column("links", DOCUMENT, nullable=False),
        sa.Column("authentication", DOCUMENT, nullable=False),
        sa.Column("trust", sa.Text()),
        sa.Column("faults", DOCUMENT, nullable=False),
        sa.Column("held", sa.Text()),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_capture_account_id_account")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_capture_delivery_id_delivery")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capture")),
    )
    op.create_index(op.f("ix_capture_delivery_id"), "capture", ["delivery_id"])
    op.create_index(op.f("ix_capture_detectability"), "capture", ["detectability"])
    op.create_index(op.f("ix_capture_kind"), "capture", ["kind"])
    op.create_index(op.f("ix_capture_received_at"), "capture", ["received_at"])


def bounces() -> None:
    op.create_table(
        "bounce",
        sa.Column("id", KEY, nullable=False),
        sa.Column("capture_id", KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("delivery_id", KEY),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text()),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("smtp_code", sa.Integer()),
        sa.Column("diagnostic", sa.Text()),
        sa.Column("action", sa.Text()),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("guess", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_bounce_account_id_account")),
        sa.ForeignKeyConstraint(["capture_id"], ["capture.id"], name=op.f("fk_bounce_capture_id_capture")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_bounce_delivery_id_delivery")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounce")),
        sa.UniqueConstraint("capture_id", "ordinal", name=op.f("uq_bounce_capture_id_ordinal")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_bounce_address_key"), "bounce", ["address_key"])
    op.create_index(op.f("ix_bounce_created_at"), "bounce", ["created_at"])
    op.create_index(op.f("ix_bounce_delivery_id"), "bounce", ["delivery_id"])


def suppressions() -> None:
    op.create_table(
        "suppression",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("capture_id", KEY),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_suppression_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint("address", "account_id", name=op.f("uq_suppression_address_account_id")),
    )
    op.create_index(
        "uq_suppression_global",
        "suppression",
        ["address"],
        unique=True,
        sqlite_where=sa.text("account_id IS NULL"),
        postgresql_where=sa.text("account_id IS NULL"),
    )


def positions() -> None:
    op.create_table(
        "position",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", KEY, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_position")),
    )
