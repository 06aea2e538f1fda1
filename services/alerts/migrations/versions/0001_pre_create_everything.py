"""Create everything: rules with the first two of them, facts, alerts, the newest position, and the chassis' tables."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations_env import create_chassis_tables

revision = "0001_pre"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE rule (
    code text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]*$'),
    version integer NOT NULL CHECK (version > 0),
    fact_kind text NOT NULL,
    condition text NOT NULL,
    severity smallint NOT NULL CHECK (severity BETWEEN 1 AND 3),
    title_vi text NOT NULL,
    title_en text NOT NULL,
    body_vi text NOT NULL,
    body_en text NOT NULL,
    audience_roles text[] NOT NULL,
    source_document text NOT NULL,
    enabled boolean NOT NULL,
    valid_from date,
    valid_to date,
    PRIMARY KEY (code, version)
);
CREATE TABLE fact (
    unit_id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    version bigint NOT NULL,
    "values" jsonb NOT NULL,
    baseline boolean NOT NULL,
    since timestamptz,
    due_time timestamptz,
    PRIMARY KEY (unit_id, kind, subject)
);
CREATE INDEX fact_due ON fact (due_time) WHERE due_time IS NOT NULL;

CREATE TABLE alert (
    unit_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    rule text NOT NULL,
    rule_version integer NOT NULL,
    subject text NOT NULL,
    severity smallint NOT NULL CHECK (severity BETWEEN 1 AND 3),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
    title_vi text NOT NULL,
    title_en text NOT NULL,
    body_vi text NOT NULL,
    body_en text NOT NULL,
    facts jsonb NOT NULL,
    audience_roles text[] NOT NULL,
    create_time timestamptz NOT NULL,
    acknowledge_time timestamptz,
    acknowledged_by text NOT NULL,
    note text NOT NULL,
    resolve_time timestamptz,
    revision integer NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (unit_id, alert_id)
);
CREATE UNIQUE INDEX alert_one_open ON alert (unit_id, rule, subject) WHERE state <> 3;
CREATE INDEX alert_by_id ON alert (alert_id);
CREATE INDEX alert_by_position ON alert (position);

CREATE TABLE newest (
    one boolean PRIMARY KEY CHECK (one),
    position bigint NOT NULL
);
INSERT INTO newest (one, position) VALUES (true, 0);
"""

RULES = [
    {
        "code": "class_oversize",
        "fact_kind": "class_size",
        "condition": "fact.size > fact.size_limit && fact.size_limit > 0 && fact.active",
        "title_vi": "Lớp {name} có {size} học sinh, vượt mức {size_limit}",
        "title_en": "Class {name} has {size} pupils, above the limit of {size_limit}",
        "body_vi": "Lớp {name} (khối {grade}, năm học {school_year}) của {unit} có {size} học sinh; mức tối đa là"
        " {size_limit} theo {limit_source}. Nhà trường rà soát và tách lớp hoặc báo cáo phương án; cảnh báo tự đóng khi"
        " sĩ số trở lại trong mức.",
        "body_en": "Class {name} (grade {grade}, school year {school_year}) of {unit} has {size} pupils; at most"
        " {size_limit} are allowed by {limit_source}. The school reviews and splits the class or reports a plan; the"
        " alert closes by itself once the size is back within the limit.",
        "source_document": "TT 28/2020/TT-BGDĐT; TT 32/2020/TT-BGDĐT; TT 52/2020/TT-BGDĐT; TT 15/2026/TT-BGDĐT",
    },
    {
        "code": "school_silent",
        "fact_kind": "connection",
        "condition": "fact.must_connect && fact.silent_hours >= 72",
        "title_vi": "{unit} không gửi dữ liệu đã {silent_hours} giờ",
        "title_en": "{unit} has sent no data for {silent_hours} hours",
        "body_vi": "{unit} chưa gửi dữ liệu nào được tiếp nhận trong {silent_hours} giờ qua. Nhà trường kiểm tra"
        " kết nối của phần mềm và gửi lại; cảnh báo tự đóng khi dữ liệu được tiếp nhận.",
        "body_en": "Nothing that {unit} sent was accepted in the last {silent_hours} hours. The school checks the"
        " connection of its software and sends again; the alert closes by itself once data is accepted.",
        "source_document": "",
    },
]


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
    create_chassis_tables(op)
    rule = sa.table(
        "rule",
        *(sa.column(name) for name in (*RULES[0], "version", "severity", "enabled")),
        sa.column("audience_roles", sa.ARRAY(sa.Text)),
    )
    shared = {
        "version": 1,
        "severity": 2,
        "enabled": True,
        "audience_roles": ["head_teacher", "officer", "director"],
    }
    op.bulk_insert(rule, [seed | shared for seed in RULES])
