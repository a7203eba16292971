"""How suppressions stand, what became of them, incidents and erasures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
TABLES = ("secret", "erasure", "incident", "refusal", "suppression_change")


def upgrade() -> None:
    op.add_column("bounce", sa.Column("suppresses", sa.Boolean(), nullable=False, server_default=sa.false()))
    # as bouncemx was, proven were those that suppressed; `bouncemx reclassify` judges the rest
    op.execute("UPDATE bounce SET suppresses = proven WHERE type = 'hard'")
    suppressions()
    changes()
    refusals()
    incidents()
    erasures()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    # what does not hold has no place in the older table
    op.execute("DELETE FROM suppression WHERE state <> 'active' OR address LIKE 'hash:%'")
    for name in ("ix_suppression_expires_at", "ix_suppression_incident_id"):
        op.drop_index(name, "suppression")
    for name in ("lifted_at", "incident_id", "expires_at", "source", "state"):
        op.drop_column("suppression", name)
    op.drop_column("bounce", "suppresses")


def suppressions() -> None:
    op.add_column("suppression", sa.Column("state", sa.Text(), nullable=False, server_default="active"))
    op.add_column("suppression", sa.Column("source", sa.Text(), nullable=False, server_default="bounce"))
    op.execute("UPDATE suppression SET source = 'person' WHERE capture_id IS NULL")
    op.add_column("suppression", sa.Column("expires_at", MOMENT))
    op.add_column("suppression", sa.Column("incident_id", KEY))
    op.add_column("suppression", sa.Column("lifted_at", MOMENT))
    for name in ("expires_at", "incident_id"):
        given = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_suppression_{name}", "suppression", [name], sqlite_where=given, postgresql_where=given)


def changes() -> None:
    op.create_table(
        "suppression_change",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("capture_id", KEY),
        sa.Column("incident_id", KEY),
        sa.Column("who", sa.Text()),
        sa.Column("why", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression_change")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_suppression_change_account_id_id", "suppression_change", ["account_id", "id"])
    lifted = sa.text("change = 'lifted'")
    op.create_index(
        "ix_suppression_change_lifted",
        "suppression_change",
        ["account_id", "at"],
        sqlite_where=lifted,
        postgresql_where=lifted,
    )
    op.create_index(op.f("ix_suppression_change_address"), "suppression_change", ["address"])


def refusals() -> None:
    op.create_table(
        "refusal",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("capture_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
        sa.UniqueConstraint("capture_id", "address", name=op.f("uq_refusal_capture_id_address")),
    )
    columns = ["account_id", "provider", "reason", "received_at"]
    op.create_index("ix_refusal_account_id_provider_reason_received_at", "refusal", columns)
    op.create_index(op.f("ix_refusal_received_at"), "refusal", ["received_at"])


def incidents() -> None:
    op.create_table(
        "incident",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Text()),
        sa.Column("decided_at", MOMENT),
        sa.Column("who", sa.Text()),
        sa.Column("why", sa.Text()),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_incident_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sqlite_autoincrement=True,
    )
    running = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_incident_running",
        "incident",
        ["account_id", "provider", "reason"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )


def erasures() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("certificate", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_erasure_address_hash"), "erasure", ["address_hash"])
    op.create_table(
        "secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secret")),
    )
