"""Create everything: batches with their outcomes, the quarantine, the connections of schools, the chassis' tables."""

from alembic import op

from chassis.migrations_env import create_chassis_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE batch (
    unit_id bigint NOT NULL,
    source text COLLATE "C" NOT NULL,
    batch_id text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    outcome bytea NOT NULL,
    backfill boolean NOT NULL,
    row_count integer NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (unit_id, batch_id, source)
);
CREATE INDEX batch_create_time ON batch (create_time);
COMMENT ON TABLE batch IS 'Batches that were acknowledged, so that a repeat answers the same and does nothing.';
COMMENT ON COLUMN batch.digest IS 'Digest of what was sent; tells a repeat from another batch under a used id.';
COMMENT ON COLUMN batch.outcome IS 'Serialized iocedu.sync.v1.Outcome, as it was answered.';

CREATE TABLE quarantined_row (
    quarantined_row_id bigint GENERATED ALWAYS AS IDENTITY,
    place_id bigint NOT NULL,
    unit_id bigint NOT NULL,
    source text NOT NULL,
    batch_id text NOT NULL,
    row_index integer NOT NULL,
    state smallint NOT NULL,
    key text NOT NULL,
    reason text NOT NULL,
    field text NOT NULL,
    message text NOT NULL,
    stored_version bigint NOT NULL,
    profile text NOT NULL,
    content text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (place_id, quarantined_row_id)
);
CREATE INDEX quarantined_row_newest ON quarantined_row (quarantined_row_id DESC);
CREATE INDEX quarantined_row_reason ON quarantined_row (reason, quarantined_row_id DESC);
COMMENT ON TABLE quarantined_row IS 'Rows that were refused or held, as they came, with reason and remedy.';
COMMENT ON COLUMN quarantined_row.place_id IS 'The school where it is known, else the unit of the batch, who sees it.';
COMMENT ON COLUMN quarantined_row.content IS 'The row as it came; shown with personal fields masked.';

CREATE TABLE connection (
    school_id bigint PRIMARY KEY,
    must_connect boolean NOT NULL,
    first_accept_time timestamptz,
    last_accept_time timestamptz,
    source text NOT NULL,
    accepted_count bigint NOT NULL,
    rejected_count bigint NOT NULL,
    create_time timestamptz NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE connection IS 'When a school last sent what: one row for each the centre waits for or heard of.';
COMMENT ON COLUMN connection.last_accept_time IS 'When it last sent news that was taken; history does not count.';
"""


def upgrade() -> None:
    for statement in TABLES.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
    create_chassis_tables(op)
