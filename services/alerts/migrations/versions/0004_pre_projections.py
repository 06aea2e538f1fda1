"""What alerts keep of pupils, classes, registers and results, so that facts on them can be made: keys, no names."""

from alembic import op

revision = "0004_pre"
down_revision = "0003_pre"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE school_class (
    school_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    deleted boolean NOT NULL,
    school_year integer NOT NULL,
    grade text NOT NULL,
    PRIMARY KEY (school_id, key)
);
CREATE TABLE pupil (
    school_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    deleted boolean NOT NULL,
    school_year integer NOT NULL,
    class_key text NOT NULL,
    grade text NOT NULL,
    in_stock boolean NOT NULL,
    left_school boolean NOT NULL,
    left_time timestamptz,
    context smallint NOT NULL,
    PRIMARY KEY (school_id, key)
);
CREATE TABLE pupil_rename (
    school_id bigint NOT NULL,
    previous_key text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (school_id, previous_key)
);
CREATE TABLE register (
    school_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    deleted boolean NOT NULL,
    school_year integer NOT NULL,
    class_key text NOT NULL,
    day date NOT NULL,
    session smallint NOT NULL,
    scheduled integer NOT NULL,
    absent integer NOT NULL,
    PRIMARY KEY (school_id, key)
);
CREATE INDEX register_by_class ON register (school_id, school_year, class_key, day, session);
CREATE INDEX register_by_day ON register (school_id, day);
CREATE TABLE absence (
    school_id bigint NOT NULL,
    register_key text COLLATE "C" NOT NULL,
    pupil_key text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    PRIMARY KEY (school_id, register_key, pupil_key)
);
CREATE INDEX absence_by_pupil ON absence (school_id, pupil_key);
CREATE TABLE result (
    school_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    deleted boolean NOT NULL,
    school_year integer NOT NULL,
    pupil_key text COLLATE "C" NOT NULL,
    stage text NOT NULL,
    below_5 smallint NOT NULL,
    below_3_5 smallint NOT NULL,
    core_not_completed smallint NOT NULL,
    conduct_failed boolean NOT NULL,
    failing boolean NOT NULL,
    mark_sum double precision NOT NULL,
    mark_count integer NOT NULL,
    PRIMARY KEY (school_id, key)
);
CREATE INDEX result_by_pupil ON result (school_id, pupil_key, school_year);
CREATE INDEX result_by_stage ON result (school_id, school_year, stage);
CREATE INDEX pupil_by_class ON pupil (school_id, school_year, class_key);
CREATE TABLE school_figure (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    version bigint NOT NULL,
    pupils integer NOT NULL,
    classes integer NOT NULL,
    staff integer NOT NULL,
    PRIMARY KEY (school_id, school_year)
);
CREATE TABLE connection_day (
    school_id bigint NOT NULL,
    day date NOT NULL,
    accepted bigint NOT NULL,
    rejected bigint NOT NULL,
    PRIMARY KEY (school_id, day)
)
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
