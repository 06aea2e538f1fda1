"""Renames: records whose key the source changed, so that what was under the old key is known to go on."""

from alembic import op

revision = "0006_pre"
down_revision = "0005_post"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE record_rename (
            school_id bigint NOT NULL,
            type smallint NOT NULL,
            previous_key text COLLATE "C" NOT NULL,
            key text COLLATE "C" NOT NULL CHECK (key <> previous_key),
            rename_time timestamptz NOT NULL,
            PRIMARY KEY (school_id, type, previous_key)
        )
        """
    )
    op.execute("CREATE INDEX record_rename_key ON record_rename (school_id, type, key)")
