"""Make room for the way out: destinations, what goes to each, packages, outcomes, comparisons."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE destination (
    code text COLLATE "C" PRIMARY KEY,
    kind smallint NOT NULL,
    display_name text NOT NULL,
    endpoint text NOT NULL,
    unit_id bigint NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    windows jsonb NOT NULL DEFAULT '[]',
    calls_per_second double precision NOT NULL,
    package_size integer NOT NULL,
    secret text NOT NULL DEFAULT '',
    position bigint NOT NULL DEFAULT 0,
    next_call_time timestamptz,
    failure_count integer NOT NULL DEFAULT 0,
    open_until timestamptz,
    problem_reason text NOT NULL DEFAULT '',
    problem text NOT NULL DEFAULT '',
    problem_en text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE destination IS 'To whom records are passed on, and whether it can be reached.';
COMMENT ON COLUMN destination.position IS 'Up to this position of the change feed changes are noted.';
COMMENT ON COLUMN destination.next_call_time IS 'First free slot of its rate, shared by all replicas.';
COMMENT ON COLUMN destination.open_until IS 'Nothing is sent before, after failures in a row; then one call tries.';
COMMENT ON COLUMN destination.secret IS 'What deliveries to a subscriber are signed with.';

CREATE TABLE school_push (
    destination text COLLATE "C" NOT NULL REFERENCES destination (code),
    school_id bigint NOT NULL,
    due boolean NOT NULL,
    note_number bigint NOT NULL DEFAULT 1,
    next_attempt_time timestamptz,
    attempt_count integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    dirty boolean NOT NULL DEFAULT true,
    told_time timestamptz,
    waiting_count bigint NOT NULL DEFAULT 0,
    accepted_count bigint NOT NULL DEFAULT 0,
    failed_count bigint NOT NULL DEFAULT 0,
    withheld_count bigint NOT NULL DEFAULT 0,
    oldest_waiting_time timestamptz,
    last_success_time timestamptz,
    problem_reason text NOT NULL DEFAULT '',
    problem text NOT NULL DEFAULT '',
    problem_en text NOT NULL DEFAULT '',
    gap_count bigint NOT NULL DEFAULT 0,
    reconcile_time timestamptz,
    PRIMARY KEY (destination, school_id)
) WITH (fillfactor = 50);
CREATE INDEX school_push_due ON school_push (destination, next_attempt_time) WHERE due;
CREATE INDEX school_push_dirty ON school_push (told_time) WHERE dirty;
COMMENT ON TABLE school_push IS 'How far each school is at each destination; workers claim its rows.';
COMMENT ON COLUMN school_push.note_number IS 'Rises with each change noted: who ends a turn sees it.';
COMMENT ON COLUMN school_push.lease_until IS 'Claimed by a worker until then; a killed one loses it.';
COMMENT ON COLUMN school_push.dirty IS 'Whether its counts are to be taken anew and told.';

CREATE TABLE outgoing_record (
    destination text COLLATE "C" NOT NULL,
    school_id bigint NOT NULL,
    type smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    position bigint NOT NULL,
    record_type integer NOT NULL,
    school_year integer NOT NULL,
    parent_type smallint NOT NULL,
    parent_key text COLLATE "C" NOT NULL,
    counts boolean NOT NULL,
    deleted boolean NOT NULL,
    row bytea NOT NULL,
    state smallint NOT NULL,
    state_time timestamptz NOT NULL,
    note_time timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    accepted_version bigint NOT NULL DEFAULT 0,
    digest bigint,
    package_id uuid,
    attempt_count integer NOT NULL DEFAULT 0,
    retry_time timestamptz,
    reason text NOT NULL DEFAULT '',
    field text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    message_en text NOT NULL DEFAULT '',
    PRIMARY KEY (school_id, destination, type, key)
);
CREATE INDEX outgoing_record_unsettled ON outgoing_record (school_id, destination, state) WHERE state <> 5;
CREATE INDEX outgoing_record_package ON outgoing_record (package_id) WHERE package_id IS NOT NULL;
COMMENT ON TABLE outgoing_record IS 'What each destination is to have of each record, and whether it has it.';
COMMENT ON COLUMN outgoing_record.record_id IS 'IdBanGhi at the destination; stays when the key changes.';
COMMENT ON COLUMN outgoing_record.row IS 'Serialized records.v1.Row, or its digest where only that is told.';
COMMENT ON COLUMN outgoing_record.parent_key IS 'Record it stands on; *: the school''s own of the year; empty: none.';
COMMENT ON COLUMN outgoing_record.counts IS 'Whether what stands on it is sent, as results of who studies.';
COMMENT ON COLUMN outgoing_record.version IS 'Version it was last sent under (PhienBan); rises with each sending.';
COMMENT ON COLUMN outgoing_record.digest IS 'Digest of the content as composed last, to compare with what is there.';

CREATE TABLE push_package (
    package_id uuid PRIMARY KEY,
    destination text COLLATE "C" NOT NULL,
    school_id bigint NOT NULL,
    record_type integer NOT NULL,
    school_year integer NOT NULL,
    unit_code text NOT NULL,
    level text NOT NULL,
    state smallint NOT NULL,
    record_count integer NOT NULL,
    body bytea NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz
);
CREATE UNIQUE INDEX push_package_open ON push_package (destination, school_id) WHERE state < 3;
CREATE INDEX push_package_create_time ON push_package (create_time);
COMMENT ON TABLE push_package IS 'Packages, written before they are sent, kept until their outcome is known.';
COMMENT ON COLUMN push_package.state IS '1 made, 2 sent, 3 settled.';
COMMENT ON COLUMN push_package.body IS 'What is sent; emptied once it is settled.';

CREATE TABLE push_outcome (
    school_id bigint NOT NULL,
    push_outcome_id bigint GENERATED ALWAYS AS IDENTITY,
    destination text COLLATE "C" NOT NULL,
    type smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    state smallint NOT NULL,
    reason text NOT NULL,
    field text NOT NULL,
    message text NOT NULL,
    package_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (school_id, destination, push_outcome_id)
);
CREATE INDEX push_outcome_create_time ON push_outcome USING brin (create_time);
COMMENT ON TABLE push_outcome IS 'What became of each record each time it was sent.';

CREATE TABLE reconciliation (
    reconciliation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    destination text COLLATE "C" NOT NULL,
    unit_id bigint NOT NULL,
    school_count integer NOT NULL,
    group_count integer NOT NULL,
    differing_group_count integer NOT NULL,
    record_count bigint NOT NULL,
    missing_there_count bigint NOT NULL,
    missing_here_count bigint NOT NULL,
    differing_count bigint NOT NULL,
    on_the_way_count bigint NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL
);
CREATE INDEX reconciliation_unit ON reconciliation (destination, unit_id, reconciliation_id DESC);
COMMENT ON TABLE reconciliation IS 'Comparisons with destinations: the gap over time.';

CREATE TABLE difference (
    school_id bigint NOT NULL,
    reconciliation_id bigint NOT NULL REFERENCES reconciliation ON DELETE CASCADE,
    type smallint NOT NULL,
    kind smallint NOT NULL,
    record_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    fields text[] NOT NULL,
    matched_key text NOT NULL,
    on_the_way boolean NOT NULL,
    version_there bigint NOT NULL,
    PRIMARY KEY (school_id, reconciliation_id, type, kind, record_id)
);
CREATE INDEX difference_of ON difference (reconciliation_id, school_id);
COMMENT ON TABLE difference IS 'What a comparison found: names of fields, never their values.';
"""


def upgrade() -> None:
    for statement in TABLES.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
