"""What was last told of a target and of how its unit stands to it, so that only what changes is told."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE target ADD COLUMN told bytea")
    op.execute("COMMENT ON COLUMN target.told IS 'The message last told of it; null: none yet.'")
