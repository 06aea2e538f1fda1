"""The last value of each day of the key figures, by unit: what a morning brief compares with."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE daily_figure (
            unit_id bigint NOT NULL,
            indicator text NOT NULL,
            school_year integer NOT NULL,
            day date NOT NULL,
            value double precision NOT NULL,
            PRIMARY KEY (unit_id, indicator, school_year, day)
        )
    """)
    op.execute("CREATE INDEX daily_figure_day ON daily_figure (day)")
    op.execute("COMMENT ON TABLE daily_figure IS 'Key figures of units as they were last on a day; not of schools.'")
