"""How often records refused a lock for good, apart from tries that failed; versions of what is told of targets.

Old code goes on counting tries alone, and gives no versions.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE lock_task ADD COLUMN refusals smallint NOT NULL DEFAULT 0")
    op.execute("COMMENT ON COLUMN lock_task.refusals IS 'How often records refused it for good; attempts counts all.'")
    op.execute("ALTER TABLE target ADD COLUMN told_version bigint NOT NULL DEFAULT 0")
    op.execute("COMMENT ON COLUMN target.told_version IS 'Rises each time it is told, whatever the clock does.'")
