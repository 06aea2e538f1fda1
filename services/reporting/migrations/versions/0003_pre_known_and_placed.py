"""Shares among those of whom it is known, and how many those are: girls by known sex, class size by pupils placed.

Old code reads the changed terms as it read the former ones, since it passes over the keys they gain.
"""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DATA = Path(__file__).parent.parent / "data" / "0003_indicators.json"
RULES = ("counting_rule_vi", "counting_rule_en")

INDICATOR = sa.table(
    "indicator",
    sa.column("place", sa.Integer),
    *(sa.column(name, sa.Text) for name in ("code", "name_vi", "name_en", *RULES, "unit_of_count", "source_document")),
    sa.column("dimensions", ARRAY(sa.Text)),
    sa.column("numerator", JSONB),
    sa.column("denominator", JSONB),
    sa.column("scale", sa.Float),
)


def upgrade() -> None:
    data = json.loads(DATA.read_text(encoding="utf-8"))
    for entry in data["changed"]:
        changes = {name: entry[name] for name in (*RULES, "numerator", "denominator")}
        op.execute(INDICATOR.update().where(INDICATOR.c.code == entry["code"]).values(**changes))
    op.execute(INDICATOR.update().values(place=INDICATOR.c.place * 10 + 1000))  # Room between the entries.
    for entry in data["added"]:
        before = sa.select(INDICATOR.c.place + 1).where(INDICATOR.c.code == entry.pop("after")).scalar_subquery()
        op.execute(INDICATOR.insert().values(**entry, place=before))
