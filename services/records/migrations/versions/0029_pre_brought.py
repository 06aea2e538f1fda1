"""Which batches a request brought, and whose token it came with, so that history leads to both."""

from alembic import op

revision = "0029_pre"
down_revision = "0028_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE brought (
            request_id text COLLATE "C" PRIMARY KEY,
            unit_id bigint NOT NULL, -- the unit the batches are for; 0: not told
            batch_ids text[] NOT NULL,
            brought_by text NOT NULL
        )
        """
    )
