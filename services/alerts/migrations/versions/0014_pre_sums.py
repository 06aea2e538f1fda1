"""Facts that changed wait to be added up for the units above their schools."""

from alembic import op

revision = "0014_pre"
down_revision = "0013_post"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE changed_fact (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " unit_id bigint NOT NULL, kind text NOT NULL, baseline boolean NOT NULL)"
    )
