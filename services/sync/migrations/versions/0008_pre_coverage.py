"""Coverage: what came in of each school by day and collection, the state that follows, and calendars of school days.

Schools that are known already are looked at once new code runs; what arrived of them before is not written down.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE coverage (
        school_id bigint PRIMARY KEY,
        known_since timestamptz NOT NULL,
        first_refused_time timestamptz,
        last_refused_time timestamptz,
        look_time timestamptz NOT NULL,
        state smallint NOT NULL DEFAULT 0,
        since_time timestamptz,
        reasons jsonb NOT NULL DEFAULT '[]',
        expected_count integer NOT NULL DEFAULT 0,
        arrived_count integer NOT NULL DEFAULT 0,
        taken_count bigint NOT NULL DEFAULT 0,
        rejected_count bigint NOT NULL DEFAULT 0,
        held_count bigint NOT NULL DEFAULT 0,
        open_row_count bigint NOT NULL DEFAULT 0,
        update_time timestamptz,
        told_must_connect boolean NOT NULL DEFAULT false,
        position bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX coverage_look ON coverage (look_time)",
    "CREATE INDEX coverage_position ON coverage (position)",
    "COMMENT ON TABLE coverage IS 'How far each school is connected, as it was last looked at.'",
    "COMMENT ON COLUMN coverage.known_since IS 'Since when it is written down which collections arrived.'",
    "COMMENT ON COLUMN coverage.last_refused_time IS 'When a batch last came in of which nothing was taken.'",
    "COMMENT ON COLUMN coverage.look_time IS 'When it is to be looked at: something came in, or time may change it.'",
    "COMMENT ON COLUMN coverage.told_must_connect IS 'Whether it had to connect when it was last looked at.'",
    "COMMENT ON COLUMN coverage.position IS 'Rises with each change of state or reason, in order of commits.'",
    """
    CREATE TABLE coverage_day (
        school_id bigint NOT NULL,
        day date NOT NULL,
        taken_count bigint NOT NULL,
        rejected_count bigint NOT NULL,
        held_count bigint NOT NULL,
        batch_count bigint NOT NULL,
        refused_batch_count bigint NOT NULL,
        PRIMARY KEY (school_id, day)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX coverage_day_day ON coverage_day (day)",
    "COMMENT ON TABLE coverage_day IS 'Rows and batches that came in by school and day; history is left out.'",
    """
    CREATE TABLE coverage_collection (
        school_id bigint NOT NULL,
        collection text COLLATE "C" NOT NULL,
        school_year integer NOT NULL,
        first_time timestamptz NOT NULL,
        last_time timestamptz NOT NULL,
        source text COLLATE "C" NOT NULL,
        row_count bigint NOT NULL,
        last_day text COLLATE "C" NOT NULL,
        PRIMARY KEY (school_id, collection, school_year)
    ) WITH (fillfactor = 70)
    """,
    "COMMENT ON TABLE coverage_collection IS 'When rows of a collection of a year were taken, history included.'",
    "COMMENT ON COLUMN coverage_collection.last_day IS 'Newest day of a register.'",
    """
    CREATE TABLE calendar (
        unit_id bigint NOT NULL,
        school_year integer NOT NULL,
        revision bigint NOT NULL,
        source text NOT NULL,
        terms jsonb NOT NULL,
        holidays jsonb NOT NULL,
        PRIMARY KEY (unit_id, school_year)
    )
    """,
    "COMMENT ON TABLE calendar IS 'School calendars as records told them; unit 0: every unit.'",
    "INSERT INTO coverage (school_id, known_since, look_time) SELECT school_id, now(), now() FROM connection",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
