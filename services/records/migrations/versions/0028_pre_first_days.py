"""Calendars tell on which day their school year begins; one that says nothing follows the units above."""

from alembic import op

revision = "0028_pre"
down_revision = "0027_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE school_calendar ADD COLUMN first_day date")
