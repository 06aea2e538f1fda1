"""Pupils of whom nothing is to be made any more: erased ones by their keys, restricted ones as records tells them."""

from alembic import op

revision = "0007_pre"
down_revision = "0006_pre"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE erased_pupil (
    school_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (school_id, key)
);
ALTER TABLE pupil ADD COLUMN restricted boolean NOT NULL DEFAULT false
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
