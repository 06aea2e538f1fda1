"""History: what records were before they were replaced, and which batch brought what they are.

The batch stands with each record. The column takes nothing and must be allowed to be empty: the old code copies into
temporary tables made like these, which take over that a column must be filled, but not its default.
"""

from alembic import op

revision = "0010_pre"
down_revision = "0009_pre"
branch_labels = None
depends_on = None

RECORDS = ("school_profile", "staff_member", "school_class", "pupil", "attendance_register", "result")


def upgrade() -> None:
    for table in RECORDS:
        op.execute(f"ALTER TABLE {table} ADD COLUMN request_id text")
    op.execute(
        """
        CREATE TABLE record_history (
            school_id bigint NOT NULL,
            type smallint NOT NULL,
            key text COLLATE "C" NOT NULL,
            history_id bigint GENERATED ALWAYS AS IDENTITY,
            version bigint NOT NULL,
            source text NOT NULL,
            deleted boolean NOT NULL,
            from_time timestamptz NOT NULL,
            until_time timestamptz NOT NULL CHECK (until_time >= from_time),
            request_id text,
            image jsonb NOT NULL,
            PRIMARY KEY (school_id, type, key, history_id)
        )
        """
    )
