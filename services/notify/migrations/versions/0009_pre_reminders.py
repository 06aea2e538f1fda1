"""When each was reminded last, so that nobody is reminded again right after."""

from alembic import op

revision = "0009_pre"
down_revision = "0008_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE receipt ADD COLUMN reminder_time timestamptz")
