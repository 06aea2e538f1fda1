"""How often records refused a lock for good, apart from tries that failed. Old code goes on counting tries alone."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE lock_task ADD COLUMN refusals smallint NOT NULL DEFAULT 0")
    op.execute("COMMENT ON COLUMN lock_task.refusals IS 'How often records refused it for good; attempts counts all.'")
