"""When a request brought what it did, so that this is kept no longer than it has to be."""

from alembic import op

revision = "0030_pre"
down_revision = "0029_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE brought ADD COLUMN create_time timestamptz NOT NULL DEFAULT now()")
    op.execute("CREATE INDEX brought_create_time ON brought (create_time)")
