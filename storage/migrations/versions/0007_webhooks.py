"""Webhooks: endpoints, what is to be sent to them, and every try."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    webhooks()
    dispatches()
    attempts()


def downgrade() -> None:
    for table in ("webhook_attempt", "webhook_dispatch", "webhook"):
        op.drop_table(table)


def webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", DOCUMENT, nullable=False),
        sa.Column("secrets", DOCUMENT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("broken_since", MOMENT),
        sa.Column("probe_at", MOMENT),
        sa.Column("after_event", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_webhook_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_webhook_account_id"), "webhook", ["account_id"])


def dispatches() -> None:
    op.create_table(
        "webhook_dispatch",
        sa.Column("id", KEY, nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("event_id", KEY, nullable=False),
        sa.Column("delivery_id", KEY),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("supersedable", sa.Boolean(), nullable=False),
        sa.Column("superseded_by", KEY),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("why", sa.Text()),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_dispatch_webhook_id_webhook"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["event.id"], name=op.f("fk_webhook_dispatch_event_id_event"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_dispatch")),
        sa.UniqueConstraint("webhook_id", "event_id", name=op.f("uq_webhook_dispatch_webhook_id_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_webhook_dispatch_event_id"), "webhook_dispatch", ["event_id"])
    op.create_index(op.f("ix_webhook_dispatch_finished_at"), "webhook_dispatch", ["finished_at"])
    op.create_index("ix_webhook_dispatch_due", "webhook_dispatch", ["webhook_id", "state", "due_at"])
    op.create_index("ix_webhook_dispatch_superseded_by", "webhook_dispatch", ["superseded_by", "webhook_id"])
    op.create_index(
        "ix_webhook_dispatch_order",
        "webhook_dispatch",
        ["webhook_id", "delivery_id", "event_id"],
        sqlite_where=QUEUED,
        postgresql_where=QUEUED,
    )


def attempts() -> None:
    op.create_table(
        "webhook_attempt",
        sa.Column("id", KEY, nullable=False),
        sa.Column("dispatch_id", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("excerpt", sa.Text()),
        sa.ForeignKeyConstraint(
            ["dispatch_id"],
            ["webhook_dispatch.id"],
            name=op.f("fk_webhook_attempt_dispatch_id_webhook_dispatch"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempt")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_webhook_attempt_dispatch_id"), "webhook_attempt", ["dispatch_id"])
