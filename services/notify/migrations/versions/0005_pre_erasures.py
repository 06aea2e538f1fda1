"""Keys of whom nothing is told any more, contents of files that are to go, and matters by unit."""

from alembic import op

revision = "0005_pre"
down_revision = "0004_pre"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE erased_key (
    school_id bigint NOT NULL,
    key text NOT NULL,
    PRIMARY KEY (school_id, key)
);
CREATE TABLE discarded_object (
    sha256 text PRIMARY KEY,
    discard_time timestamptz NOT NULL
)
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
    with op.get_context().autocommit_block():  # Notices go on while the index is built.
        op.execute("DROP INDEX IF EXISTS matter_by_unit")
        op.execute("CREATE INDEX CONCURRENTLY matter_by_unit ON matter (unit_id)")
