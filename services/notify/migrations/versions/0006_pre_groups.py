"""Alerts told together: the groups of a rule and a unit, each a matter, and their alerts."""

from alembic import op

revision = "0006_pre"
down_revision = "0005_pre"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE matter
    ADD COLUMN alert_count integer NOT NULL DEFAULT 0,
    ADD COLUMN open_count integer NOT NULL DEFAULT 0,
    ADD COLUMN only_alert_id bigint NOT NULL DEFAULT 0;
CREATE TABLE alert_group (
    matter_id bigint PRIMARY KEY,
    rule text NOT NULL,
    unit_id bigint NOT NULL,
    current boolean NOT NULL,
    revision bigint NOT NULL,
    occasion bigint NOT NULL,
    tell_time timestamptz NOT NULL
);
CREATE UNIQUE INDEX alert_group_current ON alert_group (rule, unit_id) WHERE current;
CREATE TABLE group_member (
    matter_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    PRIMARY KEY (matter_id, alert_id)
);
CREATE INDEX group_member_by_alert ON group_member (alert_id)
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
