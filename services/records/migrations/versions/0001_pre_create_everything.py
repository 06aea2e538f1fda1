"""Create everything: units in time, grants, the six tables of records, the feed, the access log, the chassis' tables.

Time is guarded by the database itself: names, codes and edges of one unit cannot overlap, nothing lives longer than
its unit, an edge needs a parent on all of its days, and no edge may close a circle.
"""

from alembic import op

from chassis.migrations_env import create_chassis_tables

revision = "0001_pre"
down_revision = None
branch_labels = None
depends_on = None

UNITS = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE SEQUENCE unit_id AS bigint;

CREATE TABLE unit (
    unit_id bigint NOT NULL UNIQUE CHECK (unit_id > 0),
    kind text NOT NULL,
    valid daterange NOT NULL CHECK (NOT isempty(valid)),
    labels text[] NOT NULL,
    PRIMARY KEY (unit_id, valid WITHOUT OVERLAPS)
);
CREATE TABLE unit_name (
    unit_id bigint NOT NULL,
    name text NOT NULL,
    sort_name text COLLATE "C" NOT NULL,
    valid daterange NOT NULL CHECK (NOT isempty(valid)),
    PRIMARY KEY (unit_id, valid WITHOUT OVERLAPS),
    FOREIGN KEY (unit_id, PERIOD valid) REFERENCES unit (unit_id, PERIOD valid)
);
CREATE TABLE unit_code (
    unit_id bigint NOT NULL,
    system text NOT NULL,
    code text NOT NULL,
    valid daterange NOT NULL CHECK (NOT isempty(valid)),
    PRIMARY KEY (system, code, valid WITHOUT OVERLAPS),
    UNIQUE (unit_id, system, valid WITHOUT OVERLAPS),
    FOREIGN KEY (unit_id, PERIOD valid) REFERENCES unit (unit_id, PERIOD valid)
);
CREATE TABLE unit_edge (
    unit_id bigint NOT NULL,
    parent_id bigint NOT NULL CHECK (parent_id <> unit_id),
    type text NOT NULL,
    valid daterange NOT NULL CHECK (NOT isempty(valid)),
    PRIMARY KEY (unit_id, type, valid WITHOUT OVERLAPS),
    FOREIGN KEY (unit_id, PERIOD valid) REFERENCES unit (unit_id, PERIOD valid),
    FOREIGN KEY (parent_id, PERIOD valid) REFERENCES unit (unit_id, PERIOD valid)
);
CREATE INDEX unit_edge_parent ON unit_edge (parent_id, type);

CREATE TABLE unit_succession (
    unit_id bigint NOT NULL REFERENCES unit (unit_id),
    successor_id bigint NOT NULL REFERENCES unit (unit_id) CHECK (successor_id <> unit_id),
    kind text NOT NULL,
    effective_date date NOT NULL,
    partial boolean NOT NULL,
    PRIMARY KEY (unit_id, successor_id, kind, effective_date)
);

CREATE FUNCTION refuse_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        WITH RECURSIVE above AS (
            SELECT NEW.parent_id AS unit_id, NEW.valid AS valid
            UNION
            SELECT edge.parent_id, edge.valid * above.valid
            FROM above JOIN unit_edge AS edge ON edge.unit_id = above.unit_id
            WHERE edge.type = NEW.type AND edge.valid && above.valid
        )
        SELECT FROM above WHERE unit_id = NEW.unit_id
    ) THEN
        RAISE EXCEPTION 'unit % would be its own ancestor', NEW.unit_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse_circle AFTER INSERT OR UPDATE ON unit_edge
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_circle();
"""

GRANTS = """
CREATE TABLE role_grant (
    grant_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    role text NOT NULL,
    unit_id bigint REFERENCES unit (unit_id), -- null: every unit
    edge_type text NOT NULL,
    valid daterange NOT NULL CHECK (NOT isempty(valid)),
    create_time timestamptz NOT NULL,
    created_by text NOT NULL,
    revoke_time timestamptz,
    revoked_by text
);
CREATE INDEX role_grant_unit ON role_grant (unit_id);
CREATE INDEX role_grant_subject ON role_grant (subject);

-- One row: the version of units and grants, raised with each change of them, and the one last published.
CREATE TABLE scope_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL,
    published_version bigint NOT NULL
);
INSERT INTO scope_version (version, published_version) VALUES (1, 0);
"""

RECORDS = {
    "school_profile": """
        school_year integer NOT NULL, name text NOT NULL, ownership text NOT NULL, school_type text NOT NULL,
        area text NOT NULL, national_standard boolean NOT NULL, two_session boolean NOT NULL, levels text[] NOT NULL""",
    "staff_member": """
        school_year integer NOT NULL, full_name text NOT NULL, sex text NOT NULL, ethnic_group text NOT NULL,
        staff_group text NOT NULL, contract text NOT NULL, qualification text NOT NULL, subject text NOT NULL,
        status text NOT NULL, personal_id text NOT NULL, level text NOT NULL, birth_date date""",
    "school_class": """
        school_year integer NOT NULL, name text NOT NULL, grade text NOT NULL, level text NOT NULL,
        homeroom_key text NOT NULL, two_session boolean NOT NULL, multi_grade boolean NOT NULL,
        day_boarding boolean NOT NULL, site_key text NOT NULL""",
    "pupil": """
        school_year integer NOT NULL, full_name text NOT NULL, sex text NOT NULL, ethnic_group text NOT NULL,
        class_key text NOT NULL, grade text NOT NULL, level text NOT NULL, status text NOT NULL,
        leaving_reason text NOT NULL, ministry_code text NOT NULL, personal_id text NOT NULL,
        disability text NOT NULL, policy_group text NOT NULL, birth_date date""",
    "attendance_register": """
        school_year integer NOT NULL, class_key text NOT NULL, session integer NOT NULL,
        scheduled_count integer NOT NULL, day date, exceptions jsonb""",
    "result": """
        school_year integer NOT NULL, pupil_key text NOT NULL, stage text NOT NULL, regulation text NOT NULL,
        learning_result text NOT NULL, conduct_result text NOT NULL, title text NOT NULL,
        absent_days integer NOT NULL, promoted boolean, subject_marks jsonb""",
}
NAMED = ("school_profile", "staff_member", "school_class", "pupil")

FEED = """
-- Compacted: one row for each record that ever was, with the position of its last change.
CREATE TABLE feed (
    school_id bigint NOT NULL,
    type smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (school_id, type, key)
);
CREATE INDEX feed_by_position ON feed (position);

CREATE TABLE feed_position (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL
);
INSERT INTO feed_position (position) VALUES (0);

CREATE TABLE apply_request (
    request_id text COLLATE "C" PRIMARY KEY,
    digest bytea NOT NULL,
    response bytea NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE INDEX apply_request_create_time ON apply_request (create_time);
"""

ACCESS_LOG = """
CREATE TABLE access_log (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    read_time timestamptz NOT NULL,
    subject text NOT NULL,
    method text NOT NULL,
    unit_id bigint NOT NULL,
    collection text NOT NULL,
    key text NOT NULL,
    record_count integer NOT NULL,
    purpose text NOT NULL,
    unmasked boolean NOT NULL,
    trace_id text NOT NULL
);
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
"""


def upgrade() -> None:
    create_chassis_tables(op)
    _run(UNITS)
    _run(GRANTS)
    for table, columns in RECORDS.items():
        _create_records(table, columns, named=table in NAMED)
    _run(FEED)
    _run(ACCESS_LOG)


def _create_records(table: str, columns: str, *, named: bool) -> None:
    names = ', search_name text NOT NULL, sort_name text COLLATE "C" NOT NULL' if named else ""
    _run(f"""
        CREATE TABLE {table} (
            school_id bigint NOT NULL,
            key text COLLATE "C" NOT NULL,
            version bigint NOT NULL,
            change_version bigint NOT NULL,
            source text NOT NULL,
            content_hash bigint NOT NULL,
            deleted boolean NOT NULL,
            update_time timestamptz NOT NULL,
            {columns.strip()},
            further jsonb{names},
            PRIMARY KEY (school_id, key)
        )
    """)
    if named:
        _run(f"CREATE INDEX {table}_search ON {table} USING gin (search_name gin_trgm_ops) WHERE NOT deleted")


def _run(script: str) -> None:
    # The driver takes one statement at a time; functions keep their semicolons between dollar signs.
    parts = script.split("$$")
    statements = [""]
    for index, part in enumerate(parts):
        pieces = [part] if index % 2 else part.split(";")
        statements[-1] += f"$${pieces[0]}$$" if index % 2 else pieces[0]
        statements += pieces[1:]
    for statement in filter(str.strip, statements):
        op.execute(statement)
