"""Only new code writes: every change brings its request id, and the trigger that costs a lock of each row goes."""

from alembic import op

revision = "0017_post"
down_revision = "0016_pre"
branch_labels = None
depends_on = None

RECORDS = ("school_profile", "staff_member", "school_class", "pupil", "attendance_register", "result")


def upgrade() -> None:
    for table in RECORDS:
        op.execute(f"DROP TRIGGER forget_request_id ON {table}")
    op.execute("DROP FUNCTION forget_request_id()")
