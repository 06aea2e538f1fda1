"""The messages that are done, by when, so that old ones are found without reading all."""

from alembic import op

revision = "0004_pre"
down_revision = "0003_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():  # The queue goes on while the index is built.
        op.execute("DROP INDEX IF EXISTS dispatch_done")
        op.execute("CREATE INDEX CONCURRENTLY dispatch_done ON dispatch (done_time) WHERE done_time IS NOT NULL")
