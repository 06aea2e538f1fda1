"""Operations on units: kept for ever as recorded, with the units they touched; grants say what moved them.

Units that are left without a name or an administrative parent on one of their days are refused by the database too,
from now on. Code that runs before this only adds units whole, which passes.
"""

from alembic import op

revision = "0002_pre"
down_revision = "0001_pre"
branch_labels = None
depends_on = None

STATEMENTS = (
    "CREATE SEQUENCE unit_operation_id AS bigint",
    """
    CREATE TABLE unit_operation (
        operation_id bigint PRIMARY KEY,
        request_id text COLLATE "C" NOT NULL UNIQUE,
        digest bytea NOT NULL,
        effective_date date NOT NULL,
        operation bytea NOT NULL, -- iocedu.records.v1.UnitOperation
        response bytea NOT NULL, -- iocedu.records.v1.CreateUnitOperationResponse
        create_time timestamptz NOT NULL,
        created_by text NOT NULL
    )
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON unit_operation
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
    """
    CREATE TABLE unit_operation_unit (
        unit_id bigint NOT NULL REFERENCES unit (unit_id),
        operation_id bigint NOT NULL REFERENCES unit_operation (operation_id),
        PRIMARY KEY (unit_id, operation_id)
    )
    """,
    """
    ALTER TABLE role_grant
        ADD COLUMN provenance text NOT NULL DEFAULT '',
        ADD COLUMN moved_from bigint REFERENCES role_grant (grant_id),
        ADD COLUMN operation_id bigint REFERENCES unit_operation (operation_id)
    """,
    """
    CREATE FUNCTION refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
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
        IF found.kind NOT IN ('ministry', 'province') AND NOT coalesce((
            SELECT range_agg(valid) @> found.valid FROM unit_edge WHERE unit_id = touched AND type = 'administrative'
        ), false) THEN
            RAISE EXCEPTION 'unit % has no parent on some of its days', touched USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    # A fact that is added leaves no gap; only a life, and what goes or is cut, can.
    """
    CREATE CONSTRAINT TRIGGER refuse_gap AFTER INSERT OR UPDATE ON unit
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_gap()
    """,
    """
    CREATE CONSTRAINT TRIGGER refuse_gap AFTER UPDATE OR DELETE ON unit_name
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_gap()
    """,
    """
    CREATE CONSTRAINT TRIGGER refuse_gap AFTER UPDATE OR DELETE ON unit_edge
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_gap()
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
