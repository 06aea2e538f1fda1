"""Locks that records refuses for good, and campaigns that are withdrawn.

Old code takes a task that was refused for one that is done, and goes on asking for reports of a withdrawn campaign.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE report ADD COLUMN lock_refusal jsonb")
    op.execute("COMMENT ON COLUMN report.lock_refusal IS 'Why records refuses the lock for good; null: it does not.'")
    op.execute(
        "ALTER TABLE campaign ADD COLUMN withdraw_time timestamptz, ADD COLUMN withdrawn_by text NOT NULL DEFAULT '',"
        " ADD COLUMN withdraw_reason text NOT NULL DEFAULT ''"
    )
