"""Which school may know of a person's record at another one, since that one, or a unit above it, has confirmed it."""

from alembic import op

revision = "0023_pre"
down_revision = "0022_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE person_disclosure (
            school_id bigint NOT NULL,
            type smallint NOT NULL,
            key text COLLATE "C" NOT NULL,
            to_school_id bigint NOT NULL,
            reason text NOT NULL,
            disclose_time timestamptz NOT NULL,
            disclosed_by text NOT NULL,
            PRIMARY KEY (school_id, type, key, to_school_id)
        )
        """
    )
