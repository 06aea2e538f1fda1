"""Calendars are told with the tree of units: only new code judges schools, and the copy of them goes."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP TABLE calendar")
