"""Grants passed on for a time: each names the grant it is of, lies within its days and ends with it, whoever writes.

Code that knows nothing of delegations ends and shortens grants as before: what was delegated of them follows here. How
long a delegation may last is a row with validity and source; the number is the platform's own, until a rule of the
province takes its place.
"""

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import DATERANGE, Range

revision = "0013_pre"
down_revision = "0012_pre"
branch_labels = None
depends_on = None

SOURCE = "Quy định của hệ thống"
DAYS = 90
IN_FORCE = Range(date(2026, 1, 1), None)

STATEMENTS = (
    "ALTER TABLE role_grant ADD COLUMN delegated_from bigint",
    "ALTER TABLE role_grant ADD UNIQUE (grant_id, role, edge_type)",
    """
    ALTER TABLE role_grant
        ADD FOREIGN KEY (delegated_from, role, edge_type) REFERENCES role_grant (grant_id, role, edge_type),
        ADD CONSTRAINT delegation_has_an_end
            CHECK (delegated_from IS NULL OR NOT (lower_inf(valid) OR upper_inf(valid)))
    """,
    "CREATE INDEX role_grant_delegated_from ON role_grant (delegated_from) WHERE delegated_from IS NOT NULL",
    """
    CREATE FUNCTION refuse_delegation_beyond_grant() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        held role_grant;
    BEGIN
        SELECT * INTO held FROM role_grant WHERE grant_id = NEW.delegated_from FOR SHARE;
        IF held.delegated_from IS NOT NULL OR held.revoke_time IS NOT NULL OR NOT held.valid @> NEW.valid THEN
            RAISE EXCEPTION 'grant % reaches beyond grant %, of which it is delegated', NEW.grant_id, held.grant_id
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER refuse_delegation_beyond_grant AFTER INSERT OR UPDATE ON role_grant FOR EACH ROW
        WHEN (NEW.delegated_from IS NOT NULL AND NEW.revoke_time IS NULL)
        EXECUTE FUNCTION refuse_delegation_beyond_grant()
    """,
    # Delegations whose days are over by then are left as they are; those that would only begin later never count.
    """
    CREATE FUNCTION end_delegations() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE role_grant
        SET revoke_time = coalesce(NEW.revoke_time, now()), revoked_by = NEW.revoked_by
        WHERE delegated_from = NEW.grant_id AND revoke_time IS NULL
            AND CASE WHEN NEW.revoke_time IS NULL THEN NOT valid && NEW.valid
                ELSE upper(valid) > (NEW.revoke_time AT TIME ZONE 'Asia/Ho_Chi_Minh')::date END;
        UPDATE role_grant
        SET valid = valid * NEW.valid
        WHERE delegated_from = NEW.grant_id AND revoke_time IS NULL AND NEW.revoke_time IS NULL
            AND NOT NEW.valid @> valid;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER end_delegations AFTER UPDATE ON role_grant FOR EACH ROW
        WHEN ((OLD.valid, OLD.revoke_time) IS DISTINCT FROM (NEW.valid, NEW.revoke_time))
        EXECUTE FUNCTION end_delegations()
    """,
    """
    CREATE TABLE delegation_term (
        valid daterange NOT NULL CHECK (NOT isempty(valid)),
        days integer NOT NULL CHECK (days > 0),
        source text NOT NULL,
        EXCLUDE USING gist (valid WITH &&)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    op.bulk_insert(
        sa.table("delegation_term", sa.column("valid", DATERANGE), *map(sa.column, ("days", "source"))),
        [{"valid": IN_FORCE, "days": DAYS, "source": SOURCE}],
    )
