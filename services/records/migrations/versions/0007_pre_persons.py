"""Persons: whose each record of a pupil or of staff is, what speaks for two being one, and who counts where.

A projection of the records, filled by following the change feed from its beginning; merges and decisions are kept
beside it. Ids stand here only where they can be a person's, so that the indexes find persons and no typing errors.
"""

from alembic import op

revision = "0007_pre"
down_revision = "0006_pre"
branch_labels = None
depends_on = None

PERSONS = """
-- Old code leaves it out, also in its working copy of the table, which takes no default over: null is false.
ALTER TABLE pupil ADD COLUMN secondary boolean;

CREATE SEQUENCE person_id AS bigint;

CREATE TABLE person_record (
    school_id bigint NOT NULL,
    type smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    deleted boolean NOT NULL,
    school_year integer NOT NULL,
    in_stock boolean NOT NULL,
    secondary boolean NOT NULL,
    name text NOT NULL,
    birth_date date,
    sex text NOT NULL,
    mother text NOT NULL,
    personal_id text NOT NULL,
    ministry_code text NOT NULL,
    person_id bigint NOT NULL, -- whose it was when it was linked
    root_id bigint NOT NULL, -- whose it is, merges followed
    rule text NOT NULL,
    link_time timestamptz NOT NULL,
    PRIMARY KEY (school_id, type, key)
);
CREATE INDEX person_record_person ON person_record (person_id);
CREATE INDEX person_record_root ON person_record (root_id);
CREATE INDEX person_record_personal_id ON person_record (personal_id) WHERE personal_id <> '';
CREATE INDEX person_record_ministry_code ON person_record (ministry_code) WHERE ministry_code <> '';
CREATE INDEX person_record_birth ON person_record (birth_date, name) WHERE birth_date IS NOT NULL;

CREATE TABLE person_merge (
    merge_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kept_id bigint NOT NULL,
    gone_id bigint NOT NULL CHECK (gone_id <> kept_id),
    reason text NOT NULL,
    merge_time timestamptz NOT NULL,
    merged_by text NOT NULL, -- empty: by the rule that the reason names
    undo_time timestamptz,
    undone_by text NOT NULL DEFAULT '',
    undo_reason text NOT NULL DEFAULT '',
    CHECK ((undo_time IS NULL) = (undone_by = ''))
);
CREATE UNIQUE INDEX person_merge_gone ON person_merge (gone_id) WHERE undo_time IS NULL;

CREATE TABLE person_pair (
    person_a bigint NOT NULL,
    person_b bigint NOT NULL CHECK (person_a < person_b),
    reasons text[] NOT NULL,
    PRIMARY KEY (person_a, person_b)
);
CREATE INDEX person_pair_b ON person_pair (person_b);

CREATE TABLE person_distinct (
    person_a bigint NOT NULL,
    person_b bigint NOT NULL CHECK (person_a < person_b),
    reason text NOT NULL,
    decide_time timestamptz NOT NULL,
    decided_by text NOT NULL,
    PRIMARY KEY (person_a, person_b)
);

-- Enrolments of pupils who count at another school, or under another key, of the same school year.
CREATE TABLE counted_elsewhere (
    school_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (school_id, key)
);

-- One row: how far in the feed records are linked to persons. Its lock lets one replica link at a time.
CREATE TABLE person_cursor (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL
);
INSERT INTO person_cursor (position) VALUES (0);
"""


def upgrade() -> None:
    for statement in PERSONS.split(";\n"):
        if statement.strip():
            op.execute(statement)
