"""Statistical reports: forms, campaigns, reports with versions and steps, locks to ask for, exports; sample forms.

The samples are filled in from `data/0005_forms.json` beside the revisions. Old code knows none of these tables.
"""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

DATA = Path(__file__).parent.parent / "data" / "0005_forms.json"

TABLES = """
CREATE TABLE form (
    code text NOT NULL,
    version integer NOT NULL,
    unit_id bigint NOT NULL,
    sample boolean NOT NULL,
    definition jsonb NOT NULL,
    created_by text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (code, version)
);
COMMENT ON TABLE form IS 'Forms of statistical reports; a version is never changed.';
COMMENT ON COLUMN form.unit_id IS 'Unit whose people save further versions; 0: shipped with the platform.';
COMMENT ON COLUMN form.definition IS 'The form as JSON of iocedu.reporting.v1.Form.';

CREATE TABLE campaign (
    campaign_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL,
    form text NOT NULL,
    form_version integer NOT NULL,
    school_year integer NOT NULL,
    confirm_due_time timestamptz NOT NULL,
    review_due_time timestamptz NOT NULL,
    approve_due_time timestamptz NOT NULL,
    report_count integer NOT NULL,
    created_by text NOT NULL,
    create_time timestamptz NOT NULL,
    FOREIGN KEY (form, form_version) REFERENCES form (code, version)
);
COMMENT ON TABLE campaign IS 'A form asked of the schools below a unit, for a school year and with deadlines.';

CREATE TABLE report (
    report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL REFERENCES campaign,
    school_id bigint NOT NULL,
    state smallint NOT NULL,
    revision bigint NOT NULL,
    version integer NOT NULL,
    lock_state smallint NOT NULL,
    entries jsonb NOT NULL,
    return_reason text NOT NULL,
    reminded smallint NOT NULL,
    update_time timestamptz NOT NULL,
    UNIQUE (campaign_id, school_id)
);
CREATE INDEX report_school ON report (school_id, campaign_id);
CREATE INDEX report_open ON report (campaign_id) WHERE state <> 4;
COMMENT ON TABLE report IS 'A school''s report in a campaign.';
COMMENT ON COLUMN report.version IS 'The version that stands; 0: none was confirmed yet.';
COMMENT ON COLUMN report.entries IS 'What the school entered: {cell: {"value", "reason", "by"}}.';
COMMENT ON COLUMN report.reminded IS 'How many reminders of the present deadline were sent.';

CREATE TABLE report_version (
    report_id bigint NOT NULL REFERENCES report,
    version integer NOT NULL,
    cells jsonb NOT NULL,
    findings jsonb NOT NULL,
    hierarchy_as_of date NOT NULL,
    data_time timestamptz,
    confirm_time timestamptz NOT NULL,
    confirmed_by text NOT NULL,
    approve_time timestamptz,
    approved_by text NOT NULL DEFAULT '',
    PRIMARY KEY (report_id, version)
);
COMMENT ON TABLE report_version IS 'What a school confirmed, frozen once approved; a trigger refuses to change it.';
COMMENT ON COLUMN report_version.cells IS 'By cell {"value", "source", "counted", "reason", "by"}, empty left out.';

CREATE TABLE report_step (
    report_id bigint NOT NULL REFERENCES report,
    revision bigint NOT NULL,
    action smallint NOT NULL,
    by text NOT NULL,
    note text NOT NULL,
    version integer NOT NULL,
    time timestamptz NOT NULL,
    PRIMARY KEY (report_id, revision)
);
COMMENT ON TABLE report_step IS 'Everything that was done to a report; only added to.';

CREATE TABLE lock_task (
    task_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    report_id bigint NOT NULL REFERENCES report,
    school_id bigint NOT NULL,
    lift boolean NOT NULL,
    collections text[] NOT NULL,
    school_year integer NOT NULL,
    period text NOT NULL,
    reason text NOT NULL,
    subject text NOT NULL,
    request_id text NOT NULL UNIQUE,
    fixed boolean NOT NULL DEFAULT false,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    failure text NOT NULL DEFAULT '',
    done_time timestamptz
);
CREATE INDEX lock_task_open ON lock_task (school_id, task_id) WHERE done_time IS NULL;
COMMENT ON TABLE lock_task IS 'Locks that approvals and reopenings ask of records, one school''s one after the other.';
COMMENT ON COLUMN lock_task.fixed IS 'Whether the collections to lift are settled; repeats ask for the very same.';
COMMENT ON COLUMN lock_task.lease_until IS 'Until when a replica works on it, or when it is tried again.';

CREATE TABLE export (
    export_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL,
    campaign_id bigint NOT NULL REFERENCES campaign,
    format text NOT NULL,
    state smallint NOT NULL,
    done_count integer NOT NULL DEFAULT 0,
    total_count integer NOT NULL DEFAULT 0,
    file_name text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    created_by text NOT NULL,
    language text NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    content bytea
);
CREATE INDEX export_open ON export (export_id) WHERE state = 1;
COMMENT ON TABLE export IS 'Exports as jobs; the file lies here until it is pruned.';

CREATE TABLE asked (
    subject text NOT NULL,
    request_id text NOT NULL,
    digest bytea NOT NULL,
    answer bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subject, request_id)
);
COMMENT ON TABLE asked IS 'Requests that name an id, kept in the transaction of their effect: a repeat does nothing.';
COMMENT ON COLUMN asked.answer IS 'Id of what the request made or changed.'
"""

UNCHANGED = """
CREATE FUNCTION refuse_changed_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.cells, NEW.findings, NEW.confirm_time, NEW.confirmed_by, NEW.data_time, NEW.hierarchy_as_of)
        IS DISTINCT FROM
        (OLD.cells, OLD.findings, OLD.confirm_time, OLD.confirmed_by, OLD.data_time, OLD.hierarchy_as_of)
        OR OLD.approve_time IS NOT NULL THEN
        RAISE EXCEPTION 'version % of report % stands as it is', OLD.version, OLD.report_id;
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement.replace(":", r"\:"))
    op.execute(UNCHANGED)
    op.execute(
        "CREATE TRIGGER report_version_unchanged BEFORE UPDATE ON report_version"
        " FOR EACH ROW EXECUTE FUNCTION refuse_changed_version()"
    )
    form = sa.table(
        "form",
        *(sa.column(name, sa.Text) for name in ("code", "created_by")),
        sa.column("version", sa.Integer),
        sa.column("unit_id", sa.BigInteger),
        sa.column("sample", sa.Boolean),
        sa.column("definition", JSONB),
    )
    for definition in json.loads(DATA.read_text(encoding="utf-8")):
        row = {"code": definition["code"], "version": 1, "unit_id": 0, "sample": True, "created_by": ""}
        op.bulk_insert(form, [row | {"definition": definition}])
