"""Nothing reads any more what was kept of connections."""

from alembic import op

revision = "0012_post"
down_revision = "0011_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM fact WHERE kind = 'connection'")
    op.execute("DELETE FROM fact_history WHERE kind = 'connection'")
    op.execute("DROP TABLE connection_day")
