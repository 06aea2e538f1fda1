"""The projections, the head that orders their changes, the rules of counting and the limits of class size."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import op

from chassis.migrations_env import create_chassis_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PROJECTIONS = """
CREATE TABLE fact (
    school_id bigint NOT NULL,
    measure text NOT NULL,
    key text NOT NULL,
    position bigint NOT NULL,
    school_year integer NOT NULL,
    level text NOT NULL,
    grade text NOT NULL,
    sex text NOT NULL,
    ethnic_group text NOT NULL,
    class_key text NOT NULL,
    name text NOT NULL,
    status text,
    counted boolean NOT NULL,
    PRIMARY KEY (school_id, measure, key)
) WITH (fillfactor = 85);
COMMENT ON TABLE fact IS 'Pupils, classes and staff as last reported: what is counted, and by what.';
COMMENT ON COLUMN fact.measure IS 'What the record counts towards: pupils, classes or staff.';
COMMENT ON COLUMN fact.key IS 'Key of the record within school and measure.';
COMMENT ON COLUMN fact.position IS 'Position of its last change in the feed of records; guards against older ones.';
COMMENT ON COLUMN fact.school_year IS 'First calendar year; 0 for a record that is gone.';
COMMENT ON COLUMN fact.class_key IS 'Key of the pupil''s class, or of the class itself.';
COMMENT ON COLUMN fact.name IS 'Name of a class; empty for persons.';
COMMENT ON COLUMN fact.status IS 'Status as reported; null for a record that is gone.';
COMMENT ON COLUMN fact.counted IS 'Whether a counting rule counts the status in that school year.';

CREATE TABLE stock (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    measure text NOT NULL,
    level text NOT NULL,
    grade text NOT NULL,
    sex text NOT NULL,
    ethnic_group text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (school_id, school_year, measure, level, grade, sex, ethnic_group)
) WITH (fillfactor = 70);
COMMENT ON TABLE stock IS 'How many there are by school, school year and dimensions; follows the facts.';

CREATE TABLE class_figure (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    class_key text NOT NULL,
    size integer NOT NULL,
    level text NOT NULL,
    grade text NOT NULL,
    name text NOT NULL,
    active boolean NOT NULL,
    size_limit integer NOT NULL,
    limit_source text NOT NULL,
    oversize boolean NOT NULL GENERATED ALWAYS AS (active AND size_limit > 0 AND size > size_limit) STORED,
    version bigint NOT NULL,
    PRIMARY KEY (school_id, school_year, class_key)
) WITH (fillfactor = 70);
COMMENT ON TABLE class_figure IS 'Size of each class beside its limit; one that only its pupils name is not active.';
COMMENT ON COLUMN class_figure.size_limit IS 'Most pupils by the norm of that school year; 0: none known.';
COMMENT ON COLUMN class_figure.version IS 'Position of the head at its last change.';

CREATE TABLE school_figure (
    school_id bigint NOT NULL,
    school_year integer NOT NULL,
    pupil_count bigint NOT NULL,
    class_count bigint NOT NULL,
    staff_count bigint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (school_id, school_year)
) WITH (fillfactor = 70);
CREATE INDEX school_figure_version ON school_figure (school_year, version);
COMMENT ON TABLE school_figure IS 'Totals by school and school year; there is a row once the school has sent any.';
COMMENT ON COLUMN school_figure.version IS 'Position of the head at the last change of any of its stocks.';

CREATE TABLE connection (
    school_id bigint PRIMARY KEY,
    first_accept_time timestamptz,
    last_accept_time timestamptz,
    version bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX connection_version ON connection (version);
COMMENT ON TABLE connection IS 'When each school first and last sent something that was taken.';
COMMENT ON COLUMN connection.version IS 'Position of the head when it first sent something.';

CREATE TABLE head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL,
    data_time timestamptz
);
COMMENT ON TABLE head IS 'One row, taken late in each transaction: positions rise in the order of commits.';
COMMENT ON COLUMN head.data_time IS 'When the newest change counted was committed where it came from.';
INSERT INTO head (position) VALUES (0);

CREATE TABLE counting_rule (
    measure text NOT NULL,
    status text NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    source text NOT NULL,
    PRIMARY KEY (measure, status, valid_from)
);
COMMENT ON TABLE counting_rule IS 'Statuses that count, from and before a day; the first day of a school year chooses.';

CREATE TABLE norm (
    measure text NOT NULL,
    level text NOT NULL,
    grade text NOT NULL,
    size_limit integer NOT NULL CHECK (size_limit > 0),
    valid_from date NOT NULL,
    valid_to date,
    source text NOT NULL,
    PRIMARY KEY (measure, level, grade, valid_from)
);
COMMENT ON TABLE norm IS 'Legal limits, from and before a day; the first day of a school year chooses.';
"""

STOCK_STATUSES = ("01", "02", "03", "06", "07", "10")
PUPIL_RULE = "Danh mục trạng thái học sinh: đang học, chuyển đến, xin học lại"
STAFF_RULE = "Danh mục trạng thái cán bộ: đang làm việc"
CLASS_RULE = "Lớp đang có trong hồ sơ của trường"
LONG_AGO = date(1990, 1, 1)

Charter = tuple[str, date, date | None]
PRESCHOOL: Charter = ("TT 52/2020/TT-BGDĐT", date(2021, 3, 31), None)
PRIMARY: Charter = ("TT 28/2020/TT-BGDĐT", date(2020, 10, 20), date(2026, 5, 10))
SECONDARY: Charter = ("TT 32/2020/TT-BGDĐT", date(2020, 11, 1), date(2026, 5, 10))
SCHOOLS_SINCE_2026: Charter = ("TT 15/2026/TT-BGDĐT", date(2026, 5, 10), None)
PRESCHOOL_LIMITS = {13: 15, 14: 20, 15: 25, 16: 25, 17: 30, 18: 35}


def upgrade() -> None:
    create_chassis_tables(op)
    for statement in PROJECTIONS.split(";\n"):
        if statement.strip():
            op.execute(statement.replace(":", r"\:"))
    op.bulk_insert(_table("counting_rule", "status"), list(_counting_rules()))
    op.bulk_insert(_table("norm", "level", "grade", "size_limit"), list(_norms()))


def _table(name: str, *columns: str) -> sa.TableClause:
    dates = (sa.column("valid_from", sa.Date), sa.column("valid_to", sa.Date))
    return sa.table(name, sa.column("measure"), *map(sa.column, columns), *dates, sa.column("source"))


def _counting_rules() -> Iterator[dict[str, Any]]:
    counted = [("pupils", status, PUPIL_RULE) for status in STOCK_STATUSES]
    counted += [("staff", "01", STAFF_RULE), ("classes", "01", CLASS_RULE)]
    for measure, status, source in counted:
        yield {"measure": measure, "status": status, "valid_from": LONG_AGO, "valid_to": None, "source": source}


def _norms() -> Iterator[dict[str, Any]]:
    limits: list[tuple[str, int, int, tuple[Charter, ...]]] = [
        ("01", grade, limit, (PRESCHOOL,)) for grade, limit in PRESCHOOL_LIMITS.items()
    ]
    limits += [("02", grade, 35, (PRIMARY, SCHOOLS_SINCE_2026)) for grade in range(1, 6)]
    limits += [("03", grade, 45, (SECONDARY, SCHOOLS_SINCE_2026)) for grade in range(6, 10)]
    limits += [("04", grade, 45, (SECONDARY, SCHOOLS_SINCE_2026)) for grade in range(10, 13)]
    for level, grade, limit, charters in limits:
        for source, valid_from, valid_to in charters:
            yield {
                "measure": "class_size",
                "level": level,
                "grade": f"{grade:02}",
                "size_limit": limit,
                "valid_from": valid_from,
                "valid_to": valid_to,
                "source": source,
            }
