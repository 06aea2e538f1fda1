"""Who decides on what a declaration of everything lacks says why. Old code leaves it empty."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE declaration ADD COLUMN decision_reason text NOT NULL DEFAULT '';
COMMENT ON COLUMN declaration.decision_reason IS 'Why, in the words of who decided.';
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
