"""Erasures and restrictions reach records on their way out, and files that are still worked on.

Old code goes on sending what it has noted; what new code clears it finds cleared.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE outgoing_record ADD COLUMN restricted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN outgoing_record.restricted IS 'Nothing of it goes out but its deletion; its content is not kept.';
ALTER TABLE import ADD COLUMN drop_file boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN import.drop_file IS 'Whether its file goes as soon as it ends: somebody in it was erased meanwhile.';
CREATE TABLE erased_record (
    school_id bigint NOT NULL,
    type smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (school_id, type, key)
);
COMMENT ON TABLE erased_record IS 'Erased records: whatever is still read of them is noted as gone.';
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
