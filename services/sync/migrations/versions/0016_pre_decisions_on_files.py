"""Who decides on a file that waits says why and when, as of a declaration of everything. Old code leaves both empty."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE import ADD COLUMN decision_reason text NOT NULL DEFAULT '';
COMMENT ON COLUMN import.decision_reason IS 'Why, in the words of who decided.';
ALTER TABLE import ADD COLUMN decide_time timestamptz;
COMMENT ON COLUMN import.decide_time IS 'When it was decided; null: it was not, or by old code.';
ALTER TABLE declaration ADD COLUMN decide_time timestamptz;
COMMENT ON COLUMN declaration.decide_time IS 'When it was decided; null: it was not, or by old code.';
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
