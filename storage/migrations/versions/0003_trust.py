"""What a capture is worth as a proof, and which bounces may have an effect."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("capture", sa.Column("trust_reasons", DOCUMENT, nullable=False, server_default="[]"))
    op.add_column("bounce", sa.Column("proven", sa.Boolean(), nullable=False, server_default=sa.false()))
    # what was suppressed for was proven by the rules of then; `bouncemx reclassify` judges the rest
    op.execute(
        "UPDATE bounce SET proven = true WHERE action = 'failed' AND EXISTS (SELECT 1 FROM suppression"
        " WHERE suppression.capture_id = bounce.capture_id AND suppression.address = bounce.address_key)"
    )


def downgrade() -> None:
    op.drop_column("bounce", "proven")
    op.drop_column("capture", "trust_reasons")
