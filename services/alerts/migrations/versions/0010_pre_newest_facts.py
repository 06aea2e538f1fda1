"""Open alerts say the newest facts, and keep beside them what they said when they were raised."""

from alembic import op

revision = "0010_pre"
down_revision = "0009_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE alert ADD COLUMN raised_title_vi text NOT NULL DEFAULT '',"
        " ADD COLUMN raised_title_en text NOT NULL DEFAULT '',"
        " ADD COLUMN raised_facts jsonb NOT NULL DEFAULT '{}',"
        " ADD COLUMN facts_time timestamptz"
    )
    op.execute(
        "ALTER TABLE alert_step ADD COLUMN title_vi text NOT NULL DEFAULT '',"
        " ADD COLUMN title_en text NOT NULL DEFAULT ''"
    )
