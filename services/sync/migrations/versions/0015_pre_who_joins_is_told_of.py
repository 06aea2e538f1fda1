"""Destinations keep of which units they were told from the beginning: who joins is read. Old code does not look."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE followed_unit (
    destination text COLLATE "C" NOT NULL REFERENCES destination (code),
    unit_id bigint NOT NULL,
    read_again_time timestamptz,
    PRIMARY KEY (destination, unit_id)
);
COMMENT ON TABLE followed_unit IS 'Units below the one a destination is told of whose older records were noted.';
COMMENT ON COLUMN followed_unit.read_again_time IS 'When it is read from the beginning once more; null: it was.';
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
