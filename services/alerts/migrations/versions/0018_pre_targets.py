"""A rule over targets: a unit has missed one for a day, and nearly all of its schools have sent data."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert as upsert

revision = "0018_pre"
down_revision = "0017_pre"
branch_labels = None
depends_on = None

SEEDS = Path(__file__).parents[1] / "data" / "0018_rules.json"
ARRAYS = ("audience_roles", "inhibited_by")
DEFAULTS = {"version": 1, "enabled": True, "built_in": True, "inhibited_by": []}


def upgrade() -> None:
    seeds = [DEFAULTS | seed for seed in json.loads(SEEDS.read_text("utf-8"))]
    columns = (sa.column(name, sa.ARRAY(sa.Text)) if name in ARRAYS else sa.column(name) for name in seeds[0])
    # A code that staff took for a rule of their own stays theirs.
    op.execute(upsert(sa.table("rule", *columns)).on_conflict_do_nothing().values(seeds))
