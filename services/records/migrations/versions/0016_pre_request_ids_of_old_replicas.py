"""While old replicas write, which know nothing of request ids, a record that they change names no request.

They leave the column as it is, and history would tell the request that brought what they replaced. A request brings a
record once, so an id that stays while the content changes is such a leftover.
"""

from alembic import op

revision = "0016_pre"
down_revision = "0015_pre"
branch_labels = None
depends_on = None

RECORDS = ("school_profile", "staff_member", "school_class", "pupil", "attendance_register", "result")
STATEMENTS = (
    """
    CREATE OR REPLACE FUNCTION forget_request_id() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.request_id := NULL;
        RETURN NEW;
    END $$
    """,
    *(
        f"""
        CREATE OR REPLACE TRIGGER forget_request_id BEFORE UPDATE ON {table} FOR EACH ROW
            WHEN (NEW.content_hash <> OLD.content_hash AND NEW.request_id = OLD.request_id)
            EXECUTE FUNCTION forget_request_id()
        """
        for table in RECORDS
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
