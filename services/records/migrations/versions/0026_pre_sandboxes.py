"""Remember which units were made as sandboxes: only those can be emptied."""

from alembic import op

revision = "0026_pre"
down_revision = "0025_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
