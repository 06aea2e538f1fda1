"""Channels beside the inbox: addresses, preferences, webhooks, and the queue of what leaves by them."""

from alembic import op

revision = "0003_pre"
down_revision = "0002_pre"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE contact (
    subject text PRIMARY KEY,
    email text NOT NULL,
    phone text NOT NULL,
    language text NOT NULL,
    quiet_from text NOT NULL,
    quiet_to text NOT NULL,
    update_time timestamptz NOT NULL
);
CREATE TABLE preference (
    subject text NOT NULL,
    channel text NOT NULL,
    enabled boolean NOT NULL,
    least_severity smallint NOT NULL,
    PRIMARY KEY (subject, channel)
);
CREATE TABLE webhook (
    webhook_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    url text NOT NULL,
    secret text NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE INDEX webhook_by_subject ON webhook (subject, webhook_id);
CREATE TABLE route (
    subject text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    least_severity smallint NOT NULL,
    PRIMARY KEY (subject, channel, address)
);
CREATE TABLE delivery (
    subject text NOT NULL,
    matter_id bigint NOT NULL,
    occasion bigint NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    priority smallint NOT NULL,
    due_time timestamptz NOT NULL,
    dispatch_id uuid,
    PRIMARY KEY (subject, matter_id, occasion, channel, address)
);
CREATE INDEX delivery_waiting ON delivery (priority, due_time) WHERE dispatch_id IS NULL;
CREATE INDEX delivery_by_dispatch ON delivery (dispatch_id) WHERE dispatch_id IS NOT NULL;
CREATE INDEX delivery_by_matter ON delivery (matter_id);
CREATE TABLE dispatch (
    dispatch_id uuid PRIMARY KEY,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    channel text NOT NULL,
    subject text NOT NULL,
    address text NOT NULL,
    priority smallint NOT NULL,
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 5),
    attempt_count integer NOT NULL,
    next_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    done_time timestamptz
);
CREATE UNIQUE INDEX dispatch_in_order ON dispatch (sequence);
CREATE INDEX dispatch_due ON dispatch (channel, priority, next_time) WHERE state IN (1, 2);
CREATE TABLE attempt (
    dispatch_id uuid NOT NULL,
    number integer NOT NULL,
    time timestamptz NOT NULL,
    outcome text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (dispatch_id, number)
);
CREATE TABLE channel_pace (
    channel text PRIMARY KEY,
    free_time timestamptz NOT NULL
);
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
