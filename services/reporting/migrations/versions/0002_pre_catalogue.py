"""The catalogue of indicators, filled from `data/0002_indicators.json` beside the revisions."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DATA = Path(__file__).parent.parent / "data" / "0002_indicators.json"


def upgrade() -> None:
    indicator = op.create_table(
        "indicator",
        sa.Column("place", sa.Integer, nullable=False, unique=True, comment="Order in the catalogue."),
        sa.Column("code", sa.Text, primary_key=True, comment="Stable code."),
        sa.Column("name_vi", sa.Text, nullable=False),
        sa.Column("name_en", sa.Text, nullable=False),
        sa.Column("counting_rule_vi", sa.Text, nullable=False),
        sa.Column("counting_rule_en", sa.Text, nullable=False),
        sa.Column("unit_of_count", sa.Text, nullable=False, comment="For example pupil; percent for a share."),
        sa.Column("dimensions", ARRAY(sa.Text), nullable=False, comment="What it can be broken down by."),
        sa.Column("source_document", sa.Text, nullable=False, comment="Where the rule comes from."),
        sa.Column("numerator", JSONB, nullable=False, comment='{"measure": ..., "where": {dimension: value}}.'),
        sa.Column("denominator", JSONB(none_as_null=True), comment="The same; null for a count."),
        sa.Column("scale", sa.Float, nullable=False, comment="What a ratio is multiplied by: 100 for a share."),
        comment="How each indicator is counted, for people and for the machine.",
    )
    entries = json.loads(DATA.read_text(encoding="utf-8"))
    defaults = {"denominator": None, "scale": 1.0}
    op.bulk_insert(indicator, [defaults | entry | {"place": place} for place, entry in enumerate(entries)])
