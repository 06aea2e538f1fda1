"""Further facts (registers, results, profiles of schools), what they add up to, and when each change became known.

Old code goes on: what it writes leaves the new columns at their defaults, `verify` shows what is missing then and
`rebuild` puts it right. What existed before has no day on which it became known; questions about earlier days say so.
"""

from datetime import date

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = """
ALTER TABLE fact ADD COLUMN tallies text[], ADD COLUMN amounts bigint[],
    ADD COLUMN dropped boolean NOT NULL DEFAULT false, ADD COLUMN pupil_key text NOT NULL DEFAULT '',
    ADD COLUMN day date, ADD COLUMN session smallint;
COMMENT ON COLUMN fact.tallies IS 'What else it adds to: `measure|stage|subject|outcome`; null: nothing.';
COMMENT ON COLUMN fact.amounts IS 'How much it adds to each of the tallies.';
COMMENT ON COLUMN fact.dropped IS 'Whether a counting rule of `dropouts` counts the status in that school year.';
COMMENT ON COLUMN fact.pupil_key IS 'Key of the pupil a result is about.';
COMMENT ON COLUMN fact.day IS 'Day of a register.';
COMMENT ON COLUMN fact.session IS 'Session of a register: 1 morning, 2 afternoon.';
CREATE INDEX fact_results ON fact (school_id, pupil_key) WHERE measure = 'results';
CREATE INDEX fact_registers ON fact (school_id, class_key, day, session) WHERE measure = 'registers';

CREATE TABLE tally (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    measure text NOT NULL,
    level text NOT NULL,
    grade text NOT NULL,
    sex text NOT NULL,
    item text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (school_id, school_year, measure, level, grade, sex, item)
) WITH (fillfactor = 70);
COMMENT ON TABLE tally IS 'Sums of what facts add to beside their own number; follows the facts.';
COMMENT ON COLUMN tally.item IS 'Stage, subject and outcome of results: `CN|TOAN|`.';

CREATE TABLE day_tally (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    day date NOT NULL,
    measure text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (school_id, school_year, day, measure)
) WITH (fillfactor = 70);
CREATE INDEX day_tally_day ON day_tally (school_year, day);
COMMENT ON TABLE day_tally IS 'The same of registers, by the day they are about.';

CREATE TABLE movement (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    day date NOT NULL,
    measure text NOT NULL,
    level text NOT NULL,
    grade text NOT NULL,
    sex text NOT NULL,
    item text NOT NULL,
    change bigint NOT NULL,
    PRIMARY KEY (school_id, school_year, day, measure, level, grade, sex, item)
) WITH (fillfactor = 70);
CREATE INDEX movement_day ON movement (school_year, day);
COMMENT ON TABLE movement IS 'How stocks and tallies moved, by the day they became known; no sensitive dimension.';

CREATE TABLE class_session (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    class_key text NOT NULL,
    session_count bigint NOT NULL,
    PRIMARY KEY (school_id, school_year, class_key)
) WITH (fillfactor = 70);
COMMENT ON TABLE class_session IS 'Sessions of each class that have a register.';

CREATE TABLE absence (
    school_id bigint NOT NULL,
    register_key text NOT NULL,
    pupil_key text NOT NULL,
    kind text NOT NULL,
    school_year integer NOT NULL,
    class_key text NOT NULL,
    day date NOT NULL,
    session smallint NOT NULL,
    PRIMARY KEY (school_id, register_key, pupil_key)
);
CREATE INDEX absence_pupil ON absence (school_id, pupil_key);
CREATE INDEX absence_class ON absence (school_id, class_key);
COMMENT ON TABLE absence IS 'Who was absent, by register: P with permission, K without.';

CREATE TABLE pupil_absence (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    pupil_key text NOT NULL,
    session_count bigint NOT NULL,
    counted_day_count bigint NOT NULL,
    PRIMARY KEY (school_id, school_year, pupil_key)
) WITH (fillfactor = 85);
COMMENT ON TABLE pupil_absence IS 'Absences of each pupil that has any; follows `absence` and the registers.';
COMMENT ON COLUMN pupil_absence.counted_day_count IS
    'Days absent from the main session of the class, the earliest that has a register: the 45-session count.';

CREATE TABLE population (
    unit_id bigint NOT NULL,
    year integer NOT NULL,
    age integer NOT NULL CHECK (age BETWEEN 0 AND 120),
    residents bigint NOT NULL CHECK (residents >= 0),
    source text NOT NULL,
    imported_by text NOT NULL,
    import_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (unit_id, year, age)
);
COMMENT ON TABLE population IS 'Residents by age, from outside the schools: denominators of rates of enrolment.';

CREATE TABLE target (
    unit_id bigint NOT NULL,
    school_year integer NOT NULL,
    indicator text NOT NULL,
    value double precision NOT NULL,
    source text NOT NULL,
    set_by text NOT NULL,
    set_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (unit_id, school_year, indicator)
);
COMMENT ON TABLE target IS 'What a unit is to reach in a school year, and the document that says so.';

CREATE TABLE succession (
    unit_id bigint NOT NULL,
    successor_id bigint NOT NULL,
    kind text NOT NULL,
    effective_date date NOT NULL,
    partial boolean NOT NULL,
    told_time timestamptz NOT NULL,
    PRIMARY KEY (unit_id, successor_id, effective_date)
);
COMMENT ON TABLE succession IS 'What became of units, as records told; by it the past is shown in today''s units.';
"""

LONG_AGO = date(1990, 1, 1)
DROPPED = "Danh mục trạng thái học sinh: thôi học kỳ 1, kỳ 2, trong hè"
RULES = (
    *(("dropouts", status, DROPPED) for status in ("05", "09", "12")),
    ("registers", "01", "Sổ điểm danh đang có trong hồ sơ của trường"),
    ("results", "01", "Kết quả đang có trong hồ sơ của trường"),
    ("profiles", "01", "Hồ sơ trường đang có"),
)


def upgrade() -> None:
    for statement in SCHEMA.split(";\n"):
        if statement.strip():
            op.execute(statement.replace(":", r"\:"))
    rule = sa.table(
        "counting_rule",
        *map(sa.column, ("measure", "status")),
        sa.column("valid_from", sa.Date),
        sa.column("valid_to", sa.Date),
        sa.column("source"),
    )
    op.bulk_insert(
        rule,
        [
            {"measure": measure, "status": status, "valid_from": LONG_AGO, "valid_to": None, "source": source}
            for measure, status, source in RULES
        ],
    )
