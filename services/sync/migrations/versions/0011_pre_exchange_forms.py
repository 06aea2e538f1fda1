"""Each destination says in which form it is spoken to, and each package in which it was written.

Old code goes on speaking in typed packages, and writes them under the default.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE destination ADD COLUMN form smallint NOT NULL DEFAULT 1;
COMMENT ON COLUMN destination.form IS 'Of the ministry''s: 1 typed packages, 2 record events; 0: a subscriber''s.';
UPDATE destination SET form = 0 WHERE kind <> 1;
ALTER TABLE push_package ADD COLUMN form smallint NOT NULL DEFAULT 1;
COMMENT ON COLUMN push_package.form IS 'Form it was written in and leaves in, whatever its destination speaks by then.';
ALTER TABLE push_package ADD COLUMN cancels boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN push_package.cancels IS 'Whether its records are to be gone there.';
UPDATE push_package SET cancels = true WHERE state < 3 AND record_type > 9000000;
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
