"""Extracts that are refused: by whom, when and why."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE extract
            ADD COLUMN refused_by text,
            ADD COLUMN refuse_time timestamptz,
            ADD COLUMN refuse_reason text,
            -- Old code knows of no refusal: what is refused it cannot approve.
            ADD CONSTRAINT extract_decided_once CHECK (refused_by IS NULL OR approved_by = '')
    """)
