"""Tables of alerts."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.tail import newest_table

metadata = sa.MetaData()
newest_table(metadata)
INSTANT = sa.DateTime(timezone=True)

rule_table = sa.Table(
    "rule",
    metadata,
    sa.Column("code", sa.Text, primary_key=True, comment="Stable code."),
    sa.Column("version", sa.Integer, primary_key=True, comment="Version; the highest one in force counts."),
    sa.Column("fact_kind", sa.Text, nullable=False, comment="Kind of fact it looks at."),
    sa.Column("condition", sa.Text, nullable=False, comment="CEL over `fact`."),
    sa.Column("severity", sa.SmallInteger, nullable=False, comment="1 info, 2 warning, 3 critical."),
    sa.Column("title_vi", sa.Text, nullable=False, comment="Title in Vietnamese, with {placeholders}."),
    sa.Column("title_en", sa.Text, nullable=False, comment="Title in English, with {placeholders}."),
    sa.Column("body_vi", sa.Text, nullable=False, comment="Text in Vietnamese, with {placeholders}."),
    sa.Column("body_en", sa.Text, nullable=False, comment="Text in English, with {placeholders}."),
    sa.Column("audience_roles", ARRAY(sa.Text), nullable=False, comment="Roles told, at the unit and above."),
    sa.Column("source_document", sa.Text, nullable=False, comment="Document it follows."),
    sa.Column("enabled", sa.Boolean, nullable=False, comment="Whether it is evaluated."),
    sa.Column("valid_from", sa.Date, comment="First day; null: always."),
    sa.Column("valid_to", sa.Date, comment="First day after; null: open."),
    comment="Rules as data.",
)
fact_table = sa.Table(
    "fact",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True, comment="Unit it is about."),
    sa.Column("kind", sa.Text, primary_key=True, comment="Kind, which gives its shape."),
    sa.Column("subject", sa.Text, primary_key=True, comment="What within the unit; empty: the unit itself."),
    sa.Column("version", sa.BigInteger, nullable=False, comment="Rises with each change; an older one is dropped."),
    sa.Column("values", JSONB, nullable=False, comment="Its fields."),
    sa.Column("baseline", sa.Boolean, nullable=False, comment="Whether it came from history."),
    sa.Column("since", INSTANT, comment="Instant from which silence counts; null: no clock runs."),
    sa.Column("due_time", INSTANT, comment="When it changes by time alone; null: never."),
    sa.Index("fact_due", "due_time", postgresql_where=sa.text("due_time IS NOT NULL")),
    comment="The newest of what is known; the row's lock serialises evaluation of its alerts.",
)
alert_table = sa.Table(
    "alert",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True, comment="Unit it is about."),
    sa.Column("alert_id", sa.BigInteger, primary_key=True, autoincrement=False, comment="Position of its raising."),
    sa.Column("rule", sa.Text, nullable=False, comment="Code of the rule."),
    sa.Column("rule_version", sa.Integer, nullable=False, comment="Version of the rule that raised it."),
    sa.Column("subject", sa.Text, nullable=False, comment="What within the unit."),
    sa.Column("severity", sa.SmallInteger, nullable=False, comment="1 info, 2 warning, 3 critical."),
    sa.Column("state", sa.SmallInteger, nullable=False, comment="1 open, 2 acknowledged, 3 resolved."),
    sa.Column("title_vi", sa.Text, nullable=False, comment="Title in Vietnamese."),
    sa.Column("title_en", sa.Text, nullable=False, comment="Title in English."),
    sa.Column("body_vi", sa.Text, nullable=False, comment="Text in Vietnamese."),
    sa.Column("body_en", sa.Text, nullable=False, comment="Text in English."),
    sa.Column("facts", JSONB, nullable=False, comment="The fields that raised it, as text."),
    sa.Column("audience_roles", ARRAY(sa.Text), nullable=False, comment="Roles told."),
    sa.Column("create_time", INSTANT, nullable=False, comment="When it was raised."),
    sa.Column("acknowledge_time", INSTANT, comment="When it was taken in hand."),
    sa.Column("acknowledged_by", sa.Text, nullable=False, comment="Who took it; empty: nobody."),
    sa.Column("note", sa.Text, nullable=False, comment="What he or she noted."),
    sa.Column("resolve_time", INSTANT, comment="When it was resolved."),
    sa.Column("revision", sa.Integer, nullable=False, comment="Rises with each change; the etag."),
    sa.Column("position", sa.BigInteger, nullable=False, comment="Position of the last change; commit order."),
    sa.Column("history", JSONB, nullable=False, server_default="[]", comment="What happened since, oldest first."),
    sa.Index("alert_one_open", "unit_id", "rule", "subject", unique=True, postgresql_where=sa.text("state <> 3")),
    sa.Index("alert_by_rule", "rule", "rule_version", postgresql_where=sa.text("state <> 3")),
    sa.Index("alert_by_id", "alert_id"),
    sa.Index("alert_by_position", "position"),
    comment="Alerts; at most one per rule, unit and subject that is not resolved.",
)
