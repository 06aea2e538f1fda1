"""Matters that are no alerts: other services' requests, and announcements with their files, recipients and answers."""

from alembic import op

revision = "0002_pre"
down_revision = "0001_pre"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE matter
    ADD COLUMN topic text NOT NULL DEFAULT 'alert',
    ADD COLUMN link text NOT NULL DEFAULT '',
    ADD COLUMN due_time timestamptz,
    ADD COLUMN announcement_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN recalled boolean NOT NULL DEFAULT false;
CREATE SEQUENCE other_matter AS bigint INCREMENT -1 MAXVALUE -1 START -1;
CREATE TABLE request (
    source text NOT NULL,
    key text NOT NULL,
    revision bigint NOT NULL,
    matter_id bigint NOT NULL,
    PRIMARY KEY (source, key)
);
CREATE TABLE silence (
    school_id bigint PRIMARY KEY,
    version bigint NOT NULL,
    must_connect boolean NOT NULL,
    since timestamptz
);
CREATE TABLE announcement (
    announcement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL,
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 5),
    revision integer NOT NULL,
    title_vi text NOT NULL,
    title_en text NOT NULL,
    body_vi text NOT NULL,
    body_en text NOT NULL,
    severity text NOT NULL,
    audience jsonb NOT NULL,
    due_time timestamptz,
    receipt_required boolean NOT NULL,
    form jsonb NOT NULL,
    reminder_hours integer[] NOT NULL,
    created_by text NOT NULL,
    create_time timestamptz NOT NULL,
    approved_by text NOT NULL,
    send_time timestamptz,
    sent_time timestamptz,
    remind_time timestamptz,
    recalled_by text NOT NULL,
    recall_reason text NOT NULL,
    failure text NOT NULL,
    recipient_count integer NOT NULL,
    matter_id bigint,
    request_id text
);
CREATE INDEX announcement_by_unit ON announcement (unit_id, announcement_id DESC);
CREATE INDEX announcement_to_send ON announcement (send_time) WHERE state = 3;
CREATE INDEX announcement_to_remind ON announcement (remind_time) WHERE state = 4 AND remind_time IS NOT NULL;
CREATE UNIQUE INDEX announcement_request ON announcement (created_by, request_id) WHERE request_id IS NOT NULL;
CREATE TABLE attachment (
    attachment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    announcement_id bigint NOT NULL REFERENCES announcement,
    name text NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL
);
CREATE INDEX attachment_by_announcement ON attachment (announcement_id, attachment_id);
CREATE TABLE announcement_unit (
    announcement_id bigint NOT NULL,
    unit_id bigint NOT NULL,
    recipient_count integer NOT NULL,
    PRIMARY KEY (announcement_id, unit_id)
);
CREATE TABLE receipt (
    announcement_id bigint NOT NULL,
    subject text NOT NULL,
    unit_id bigint NOT NULL,
    because text NOT NULL,
    progress smallint NOT NULL CHECK (progress BETWEEN 1 AND 3),
    answers jsonb,
    answer_time timestamptz,
    reminder_count integer NOT NULL,
    PRIMARY KEY (announcement_id, subject)
);
CREATE INDEX receipt_to_deliver ON receipt (announcement_id, subject) WHERE progress = 1;
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
