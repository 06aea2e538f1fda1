"""A file may only be looked at, and it is kept what files lack. Old code leaves both empty."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE import ADD COLUMN validate_only boolean;
COMMENT ON COLUMN import.validate_only IS 'Whether it is only looked at; null: no.';
ALTER TABLE import ADD COLUMN deletions jsonb;
COMMENT ON COLUMN import.deletions IS 'What a complete file lacks: collection, count, first keys; null: nothing.';
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
