"""A granted request that could not be carried out is put off, so that others do not wait for it. Old code does not."""

from alembic import op

revision = "0032_pre"
down_revision = "0031_pre"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE data_request ADD COLUMN try_after timestamptz;
COMMENT ON COLUMN data_request.try_after IS 'When it is tried again after it failed; null: at once.';
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
