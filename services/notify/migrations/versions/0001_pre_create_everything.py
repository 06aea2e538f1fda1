"""Create everything: matters, notices, the newest position, and the chassis' tables."""

from alembic import op

from chassis.migrations_env import create_chassis_tables

revision = "0001_pre"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE matter (
    alert_id bigint PRIMARY KEY,
    version bigint NOT NULL,
    unit_id bigint NOT NULL,
    unit_name text NOT NULL,
    title_vi text NOT NULL,
    title_en text NOT NULL,
    body_vi text NOT NULL,
    body_en text NOT NULL,
    severity text NOT NULL,
    resolved boolean NOT NULL,
    taken_by text NOT NULL
);
CREATE TABLE notice (
    subject text NOT NULL,
    notice_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    because text NOT NULL,
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
    create_time timestamptz NOT NULL,
    read_time timestamptz,
    acknowledge_time timestamptz,
    position bigint NOT NULL,
    PRIMARY KEY (subject, notice_id),
    CONSTRAINT notice_once UNIQUE (subject, alert_id)
);
CREATE INDEX notice_by_alert ON notice (alert_id);
CREATE INDEX notice_by_position ON notice (subject, position);

CREATE TABLE newest (
    one boolean PRIMARY KEY CHECK (one),
    position bigint NOT NULL
);
INSERT INTO newest (one, position) VALUES (true, 0);
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
    create_chassis_tables(op)
