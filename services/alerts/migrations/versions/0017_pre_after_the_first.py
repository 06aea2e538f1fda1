"""Which alerts were not told as another of their group was; of those there are already it is not known."""

from alembic import op

revision = "0017_pre"
down_revision = "0016_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alert ADD COLUMN after_first boolean NOT NULL DEFAULT false")
