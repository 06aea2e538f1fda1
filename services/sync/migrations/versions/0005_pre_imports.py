"""Keep imports of files with their content, and jobs that take rows of the quarantine once more."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE import (
        import_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        unit_id bigint NOT NULL,
        subject text NOT NULL,
        source text COLLATE "C" NOT NULL,
        file_name text NOT NULL,
        school_year integer NOT NULL,
        collection text NOT NULL,
        stage text NOT NULL,
        complete boolean NOT NULL,
        backfill boolean NOT NULL,
        request_id text COLLATE "C" NOT NULL,
        size bigint NOT NULL,
        digest bytea NOT NULL,
        state smallint NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        row_count integer NOT NULL DEFAULT 0,
        slices_done integer NOT NULL DEFAULT 0,
        accepted_count integer NOT NULL DEFAULT 0,
        unchanged_count integer NOT NULL DEFAULT 0,
        stale_count integer NOT NULL DEFAULT 0,
        rejected_count integer NOT NULL DEFAULT 0,
        held_count integer NOT NULL DEFAULT 0,
        sheets jsonb NOT NULL DEFAULT '[]',
        suspicions jsonb NOT NULL DEFAULT '[]',
        error jsonb NOT NULL DEFAULT '{}',
        decided_by text NOT NULL DEFAULT '',
        cancel_requested boolean NOT NULL DEFAULT false,
        claim uuid,
        claimed_until timestamptz,
        create_time timestamptz NOT NULL,
        update_time timestamptz NOT NULL,
        end_time timestamptz
    )
    """,
    "CREATE UNIQUE INDEX import_request ON import (unit_id, request_id) WHERE request_id <> ''",
    "CREATE INDEX import_unit ON import (unit_id, import_id DESC)",
    "CREATE INDEX import_open ON import (import_id) WHERE state IN (1, 3)",
    "COMMENT ON TABLE import IS 'Files on their way in: what was asked for, by whom, how far each is.'",
    "COMMENT ON COLUMN import.subject IS 'Who uploaded it; what this person may is asked again while it runs.'",
    "COMMENT ON COLUMN import.slices_done IS 'Slices whose outcome is counted; a restart goes on after them.'",
    "COMMENT ON COLUMN import.claim IS 'The run that works on it; it loses the claim when claimed_until passes.'",
    """
    CREATE TABLE import_part (
        import_id bigint NOT NULL REFERENCES import ON DELETE CASCADE,
        number integer NOT NULL,
        content bytea NOT NULL,
        PRIMARY KEY (import_id, number)
    )
    """,
    "ALTER TABLE import_part ALTER COLUMN content SET STORAGE EXTERNAL",
    "COMMENT ON TABLE import_part IS 'The files of imports, in parts of a megabyte; they go before the imports do.'",
    """
    CREATE TABLE replay (
        place_id bigint PRIMARY KEY,
        after_row_id bigint NOT NULL DEFAULT 0,
        asked integer NOT NULL DEFAULT 1,
        claimed_until timestamptz,
        create_time timestamptz NOT NULL
    )
    """,
    "COMMENT ON TABLE replay IS 'Schools of which a lock was lifted: rows it held are to be taken once more.'",
    "COMMENT ON COLUMN replay.asked IS 'Counts the lifts; one that comes while rows are taken is not forgotten.'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
