"""Quarantined rows say whether they are history, as those of a batch that was stopped cannot be asked. Old code leaves
it at no.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE quarantined_row ADD COLUMN backfill boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN quarantined_row.backfill IS 'Whether it is history, which notifies nobody.';
COMMENT ON TABLE replay IS 'Schools of which a lock was lifted, or held rows came: these are to be taken once more.';
COMMENT ON COLUMN replay.asked IS 'How often it was asked for: what comes while rows are taken is not forgotten.';
UPDATE quarantined_row AS held SET backfill = true FROM batch
    WHERE batch.backfill AND (batch.unit_id, batch.source, batch.batch_id) = (held.unit_id, held.source, held.batch_id);
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
