"""Remember which units were made as sandboxes: only those can be emptied. Their roots need no unit above them."""

from alembic import op

revision = "0026_pre"
down_revision = "0025_pre"
branch_labels = None
depends_on = None

ROOTS = """
    CREATE OR REPLACE FUNCTION refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        touched bigint := CASE TG_OP WHEN 'DELETE' THEN OLD.unit_id ELSE NEW.unit_id END;
        found unit;
    BEGIN
        SELECT * INTO found FROM unit WHERE unit_id = touched;
        IF found.unit_id IS NULL THEN
            RETURN NULL;
        END IF;
        IF NOT coalesce((SELECT range_agg(valid) @> found.valid FROM unit_name WHERE unit_id = touched), false) THEN
            RAISE EXCEPTION 'unit % has no name on some of its days', touched USING ERRCODE = 'check_violation';
        END IF;
        IF found.kind NOT IN ('ministry', 'province', 'sandbox') AND NOT coalesce((
            SELECT range_agg(valid) @> found.valid FROM unit_edge WHERE unit_id = touched AND type = 'administrative'
        ), false) THEN
            RAISE EXCEPTION 'unit % has no parent on some of its days', touched USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
"""


def upgrade() -> None:
    op.execute(ROOTS)
    op.execute(
        """
        CREATE TABLE sandbox_school (
            school_id bigint PRIMARY KEY,
            root_id bigint NOT NULL, -- the unit above it, of this sandbox alone
            subject text NOT NULL, -- whose sandbox it is
            create_time timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX sandbox_school_subject ON sandbox_school (subject)")
    op.execute("COMMENT ON TABLE sandbox_school IS 'Schools made for a sandbox, by which all else knows them.'")
