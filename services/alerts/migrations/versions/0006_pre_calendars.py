"""Calendars of units as records tells them, so that there is one truth about school days."""

from alembic import op

revision = "0006_pre"
down_revision = "0005_pre"
branch_labels = None
depends_on = None

CALENDAR = """
CREATE TABLE calendar (
    unit_id bigint NOT NULL, -- 0: every unit
    school_year integer NOT NULL,
    revision bigint NOT NULL,
    source text NOT NULL,
    terms jsonb NOT NULL, -- [[first day, last day], ...], both included
    holidays jsonb NOT NULL,
    PRIMARY KEY (unit_id, school_year)
)
"""


def upgrade() -> None:
    op.execute(CALENDAR)
