"""When each was reminded last, and until when quiet hours put off a message that waits."""

from alembic import op

revision = "0009_pre"
down_revision = "0008_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE receipt ADD COLUMN reminder_time timestamptz")
    op.execute("ALTER TABLE dispatch ADD COLUMN quiet_until timestamptz")
