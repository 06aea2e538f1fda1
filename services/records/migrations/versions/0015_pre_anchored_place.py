"""Which place of the access log's chain was anchored last, so that anchors that are gone are told from none yet."""

from alembic import op

revision = "0015_pre"
down_revision = "0014_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE access_anchored (one boolean PRIMARY KEY DEFAULT true CHECK (one), sequence bigint NOT NULL)"
    )
