"""What was let go because its time was over: each run with its rule, and up to which day it is done.

Registers come in the order of days, so that a few bytes for a thousand of them find those of a day.
"""

from alembic import op

revision = "0025_pre"
down_revision = "0024_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each step may be run again: building an index beside the writers ends the transaction, and may fail.
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS retention_run (
            run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            what text NOT NULL,
            before date NOT NULL, -- what is older had to go
            done_until date NOT NULL, -- days before it are done
            changed_count bigint NOT NULL,
            locked_count bigint NOT NULL, -- stayed, since they are locked
            source text NOT NULL,
            finish_time timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX IF NOT EXISTS retention_run_what ON retention_run (what, run_id)")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX IF EXISTS attendance_register_day")
        op.execute("CREATE INDEX CONCURRENTLY attendance_register_day ON attendance_register USING brin (day)")
