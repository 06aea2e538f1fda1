"""Erasures and restrictions: what was carried out of which request, of which records, and who has confirmed it.

What is restricted stands beside the records, not in them: so it holds for any type, and old code stores on undisturbed.
Old code shows restricted records and lets erased ones come back, so nothing is carried out before new code runs: a deed
is the work of its worker alone.
"""

from alembic import op

revision = "0022_pre"
down_revision = "0021_pre"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE erasure (
        school_id bigint NOT NULL,
        data_request_id bigint NOT NULL,
        deed_time timestamptz NOT NULL,
        history_count bigint NOT NULL, -- states that went
        PRIMARY KEY (school_id, data_request_id),
        FOREIGN KEY (school_id, data_request_id) REFERENCES data_request (school_id, data_request_id)
    )
    """,
    """
    CREATE TABLE erasure_confirmation (
        school_id bigint NOT NULL,
        data_request_id bigint NOT NULL,
        service text NOT NULL,
        confirm_time timestamptz, -- null: not yet
        erased_count bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (school_id, data_request_id, service),
        FOREIGN KEY (school_id, data_request_id) REFERENCES erasure (school_id, data_request_id)
    )
    """,
    """
    CREATE TABLE erased_record (
        school_id bigint NOT NULL,
        type smallint NOT NULL,
        key text COLLATE "C" NOT NULL,
        data_request_id bigint NOT NULL,
        erase_time timestamptz NOT NULL,
        source text NOT NULL,
        PRIMARY KEY (school_id, type, key)
    )
    """,
    """
    CREATE TABLE restricted_record (
        school_id bigint NOT NULL,
        type smallint NOT NULL,
        key text COLLATE "C" NOT NULL,
        data_request_id bigint NOT NULL,
        restrict_time timestamptz NOT NULL,
        dropped text[] NOT NULL, -- fields that are not stored again
        source text NOT NULL,
        PRIMARY KEY (school_id, type, key, data_request_id)
    )
    """,
    """
    CREATE TABLE restriction_lift (
        school_id bigint NOT NULL,
        data_request_id bigint NOT NULL,
        lift_time timestamptz NOT NULL,
        lifted_by text NOT NULL,
        reason text NOT NULL,
        PRIMARY KEY (school_id, data_request_id),
        FOREIGN KEY (school_id, data_request_id) REFERENCES erasure (school_id, data_request_id)
    )
    """,
    "CREATE INDEX data_request_granted ON data_request (due_date) WHERE state = 'granted'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
