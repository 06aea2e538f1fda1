"""Corrections by hand: who made each and why, under the request that the corrected record and its history name."""

from alembic import op

revision = "0014_pre"
down_revision = "0013_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE record_edit (
            school_id bigint NOT NULL,
            request_id text COLLATE "C" NOT NULL,
            edited_by text NOT NULL,
            reason text NOT NULL,
            PRIMARY KEY (school_id, request_id)
        )
        """
    )
