"""Rules that staff write and switch, the whole life of an alert, and the rules of all four families."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003_pre"
down_revision = "0002_pre"
branch_labels = None
depends_on = None

SEEDS = Path(__file__).parents[1] / "data" / "0003_rules.json"
STATEMENTS = """
ALTER TABLE rule
    ADD COLUMN family text NOT NULL DEFAULT '',
    ADD COLUMN for_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN clear_condition text NOT NULL DEFAULT '',
    ADD COLUMN group_hours integer NOT NULL DEFAULT 0,
    ADD COLUMN owner text NOT NULL DEFAULT '',
    ADD COLUMN unit_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN built_in boolean NOT NULL DEFAULT false,
    ADD COLUMN copied_from text NOT NULL DEFAULT '',
    ADD COLUMN acknowledge_hours integer NOT NULL DEFAULT 0,
    ADD COLUMN resolve_hours integer NOT NULL DEFAULT 0,
    ADD COLUMN school_days_only boolean NOT NULL DEFAULT false,
    ADD COLUMN inhibited_by text[] NOT NULL DEFAULT '{}',
    ADD COLUMN audience_reach smallint NOT NULL DEFAULT 1,
    ADD COLUMN created_by text NOT NULL DEFAULT '',
    ADD COLUMN create_time timestamptz,
    ADD COLUMN change_note text NOT NULL DEFAULT '';
UPDATE rule SET built_in = true, family = 'indicator', acknowledge_hours = 168 WHERE code = 'class_oversize';
UPDATE rule SET built_in = true, family = 'data', acknowledge_hours = 24, school_days_only = true
    WHERE code = 'school_silent';
CREATE TABLE rule_switch (
    code text PRIMARY KEY,
    enabled boolean NOT NULL,
    note text NOT NULL,
    switched_by text NOT NULL,
    switch_time timestamptz NOT NULL
);
ALTER TABLE alert
    ADD COLUMN family text NOT NULL DEFAULT '',
    ADD COLUMN fact_kind text NOT NULL DEFAULT '',
    ADD COLUMN suppressed_by text NOT NULL DEFAULT '',
    ADD COLUMN due_time timestamptz,
    ADD COLUMN escalate_time timestamptz,
    ADD COLUMN escalation_level smallint NOT NULL DEFAULT 0,
    ADD COLUMN escalated_unit_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN resolution smallint NOT NULL DEFAULT 0,
    ADD COLUMN resolved_by text NOT NULL DEFAULT '',
    ADD COLUMN placed_unit_id bigint,
    ADD COLUMN dismissed boolean NOT NULL DEFAULT false,
    ADD COLUMN audience_reach smallint NOT NULL DEFAULT 1;
UPDATE alert SET family = 'indicator', fact_kind = 'class_size' WHERE rule = 'class_oversize';
UPDATE alert SET family = 'data', fact_kind = 'connection' WHERE rule = 'school_silent';
CREATE INDEX alert_to_escalate ON alert (escalate_time) WHERE escalate_time IS NOT NULL AND state <> 3;
CREATE INDEX alert_suppressed ON alert (alert_id) WHERE suppressed_by <> '' AND state <> 3;
CREATE INDEX alert_placed ON alert (placed_unit_id) WHERE placed_unit_id IS NOT NULL;
CREATE INDEX alert_dismissed ON alert (unit_id, rule, subject) WHERE dismissed;
CREATE INDEX alert_over ON alert (resolve_time) WHERE state = 3;
CREATE TABLE alert_step (
    alert_id bigint NOT NULL,
    number integer NOT NULL,
    transition smallint NOT NULL,
    time timestamptz NOT NULL,
    made_by text NOT NULL,
    note text NOT NULL,
    reason smallint NOT NULL,
    rule_version integer NOT NULL,
    unit_id bigint NOT NULL,
    PRIMARY KEY (alert_id, number)
);
CREATE TABLE pending (
    unit_id bigint NOT NULL,
    rule text NOT NULL,
    subject text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (unit_id, rule, subject)
);
CREATE TABLE told_group (
    unit_id bigint NOT NULL,
    rule text NOT NULL,
    told_time timestamptz NOT NULL,
    PRIMARY KEY (unit_id, rule)
);
CREATE TABLE silence (
    silence_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL,
    rule text NOT NULL,
    family text NOT NULL,
    subject text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    create_time timestamptz NOT NULL,
    ended_by text NOT NULL DEFAULT ''
);
CREATE INDEX silence_by_end ON silence (end_time);
CREATE TABLE succession (
    unit_id bigint NOT NULL,
    successor_id bigint NOT NULL,
    effective_date date NOT NULL,
    PRIMARY KEY (unit_id)
);
ALTER TABLE fact ADD COLUMN change_time timestamptz, ADD COLUMN look_time timestamptz;
CREATE INDEX fact_by_kind ON fact (kind, unit_id, subject);
CREATE TABLE fact_history (
    unit_id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    "values" jsonb NOT NULL,
    since timestamptz,
    PRIMARY KEY (kind, unit_id, subject, from_time)
);
CREATE INDEX fact_history_by_time ON fact_history (to_time);
CREATE SEQUENCE fact_version
"""
DEFAULTS = {
    "version": 1,
    "clear_condition": "",
    "for_minutes": 0,
    "group_hours": 0,
    "acknowledge_hours": 0,
    "resolve_hours": 0,
    "school_days_only": False,
    "inhibited_by": [],
    "audience_reach": 1,
    "enabled": True,
    "built_in": True,
}
ARRAYS = ("audience_roles", "inhibited_by")


def upgrade() -> None:
    for statement in filter(str.strip, STATEMENTS.split(";")):
        op.execute(statement)
    seeds = [DEFAULTS | seed for seed in json.loads(SEEDS.read_text())]
    columns = (sa.column(name, sa.ARRAY(sa.Text)) if name in ARRAYS else sa.column(name) for name in seeds[0])
    op.bulk_insert(sa.table("rule", *columns), [{name: seed[name] for name in seeds[0]} for seed in seeds])
