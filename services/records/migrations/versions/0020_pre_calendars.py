"""Calendars: each import is a row that stays; the newest of a unit and school year holds. A national frame is there."""

import json
from importlib.resources import files

import sqlalchemy as sa
from alembic import op

revision = "0020_pre"
down_revision = "0019_pre"
branch_labels = None
depends_on = None

CALENDARS = """
CREATE TABLE school_calendar (
    revision bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL, -- 0: every unit
    school_year integer NOT NULL,
    opening_day date NOT NULL,
    terms jsonb NOT NULL,
    holidays jsonb NOT NULL,
    source text NOT NULL,
    confirmed boolean NOT NULL,
    create_time timestamptz NOT NULL,
    created_by text NOT NULL, -- empty: it came with the product
    request_id text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    UNIQUE (unit_id, request_id)
)
"""
SEED = sa.text(
    "INSERT INTO school_calendar (unit_id, school_year, opening_day, terms, holidays, source, confirmed, create_time,"
    " created_by, request_id, digest) VALUES (0, :school_year, CAST(:opening_day AS date), CAST(:terms AS jsonb),"
    " CAST(:holidays AS jsonb), :source, :confirmed, now(), '', :request_id, '')"
)


def upgrade() -> None:
    op.execute(CALENDARS)
    op.execute("CREATE INDEX school_calendar_year ON school_calendar (unit_id, school_year, revision)")
    path = files("services.records") / "migrations/data/0020_calendars.json"
    for entry in json.loads(path.read_text(encoding="utf-8"))["calendars"]:
        values = {name: entry[name] for name in ("school_year", "opening_day", "source", "confirmed")}
        values |= {name: json.dumps(entry[name], ensure_ascii=False) for name in ("terms", "holidays")}
        op.execute(SEED.bindparams(**values, request_id=f"0020/{entry['school_year']}"))
