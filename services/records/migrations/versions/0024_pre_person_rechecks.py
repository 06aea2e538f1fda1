"""Persons of a school year who are to be looked at again: after a lock was lifted, or to build the projection anew.

And by which statuses pupils were taken to be there, so that a change of the table is followed through all records.
"""

from alembic import op

revision = "0024_pre"
down_revision = "0023_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE person_recheck (
            school_id bigint NOT NULL,
            school_year integer NOT NULL,
            PRIMARY KEY (school_id, school_year)
        )
        """
    )
    op.execute("ALTER TABLE person_cursor ADD COLUMN statuses text")  # null: not noted yet
