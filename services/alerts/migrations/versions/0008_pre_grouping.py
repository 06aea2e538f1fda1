"""Which alerts of a rule are told as one notice, and how long messages about them wait; 0 is what is usual."""

from alembic import op

revision = "0008_pre"
down_revision = "0007_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("rule", "alert"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN group_by smallint NOT NULL DEFAULT 0,"
            " ADD COLUMN group_wait_seconds integer NOT NULL DEFAULT 0,"
            " ADD COLUMN group_interval_minutes integer NOT NULL DEFAULT 0"
        )
