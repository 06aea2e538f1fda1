"""Keep what is wrong with a quarantined row in English too, and what it is about for programs."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE quarantined_row ADD COLUMN message_en text NOT NULL DEFAULT ''",
    "ALTER TABLE quarantined_row ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}'",
    "COMMENT ON COLUMN quarantined_row.message IS 'What is wrong and what to do, in Vietnamese.'",
    "COMMENT ON COLUMN quarantined_row.message_en IS 'The same in English; empty in rows from before it was kept.'",
    "COMMENT ON COLUMN quarantined_row.metadata IS 'What the problem is about, for programs: texts by key.'",
    "COMMENT ON COLUMN quarantined_row.row_index IS 'Place of the row in its batch, from 0.'",
    "COMMENT ON COLUMN batch.outcome IS 'Serialized iocedu.sync.v1.Outcome, its problems in both languages.'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
