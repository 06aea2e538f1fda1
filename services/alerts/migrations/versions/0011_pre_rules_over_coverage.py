"""Silence and refused rows are judged by what sync says of a school; rules by staff over what was before it end.

Rules that came with the service call classes by their names. A rule may speak of facts of further kinds.
"""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert as upsert

revision = "0011_pre"
down_revision = "0010_pre"
branch_labels = None
depends_on = None

SEEDS = Path(__file__).parents[1] / "data" / "0011_rules.json"
ARRAYS = ("audience_roles", "inhibited_by")
END = """
UPDATE rule SET valid_to = (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date,
    change_note = left(change_note || ' Kết thúc: không còn dữ kiện connection; viết lại trên coverage.', 500)
WHERE fact_kind = 'connection' AND NOT built_in
    AND (valid_to IS NULL OR valid_to > (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date)
"""
TEXTS = ("title_vi", "title_en", "body_vi", "body_en")


def upgrade() -> None:
    op.execute(
        "ALTER TABLE rule ADD COLUMN with_kinds text[] NOT NULL DEFAULT '{}',"
        " ADD COLUMN optional_kinds text[] NOT NULL DEFAULT '{}'"
    )
    seeds = [
        {"enabled": True, "built_in": True, "for_minutes": 0} | seed for seed in json.loads(SEEDS.read_text("utf-8"))
    ]
    columns = (sa.column(name, sa.ARRAY(sa.Text)) if name in ARRAYS else sa.column(name) for name in seeds[0])
    insert = upsert(sa.table("rule", *columns)).on_conflict_do_nothing()
    op.execute(insert.values([{name: seed[name] for name in seeds[0]} for seed in seeds]))
    op.execute(END)
    rule = sa.table("rule", *map(sa.column, ("built_in", *TEXTS)))
    named = {text: sa.func.replace(rule.c[text], "{class_key}", "{class_name}") for text in TEXTS}
    op.execute(rule.update().values(named).where(rule.c.built_in))
