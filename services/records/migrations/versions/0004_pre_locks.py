"""Locks: parts of a school's year that are closed. A lifted one stays, so that it can be asked what was closed when.

One open lock a place at most, by an index that also answers what is open in a school: the one question that each
transaction with rows asks. It holds open locks only, and is empty where nothing is locked.
"""

from alembic import op

revision = "0004_pre"
down_revision = "0003_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE lock (
            school_id bigint NOT NULL,
            lock_id bigint GENERATED ALWAYS AS IDENTITY,
            collection text NOT NULL,
            school_year integer NOT NULL,
            period text NOT NULL CHECK (period = '' OR collection IN ('attendance', 'results')),
            reason text NOT NULL,
            lock_time timestamptz NOT NULL,
            locked_by text NOT NULL,
            lock_service text NOT NULL,
            lift_time timestamptz,
            lifted_by text NOT NULL DEFAULT '',
            lift_service text NOT NULL DEFAULT '',
            lift_reason text NOT NULL DEFAULT '',
            PRIMARY KEY (school_id, lock_id),
            CHECK ((lift_time IS NULL) = (lifted_by = ''))
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX lock_open ON lock (school_id, collection, school_year, period) WHERE lift_time IS NULL"
    )
