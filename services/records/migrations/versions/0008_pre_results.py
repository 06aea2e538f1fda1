"""Results: what retraining and re-tests of the summer bring, and the qualities of TT 27.

The columns may be null: the code of yesterday copies results into a table made like this one, which keeps every NOT
NULL and no default.
"""

from alembic import op

revision = "0008_pre"
down_revision = "0007_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE result ADD COLUMN retraining boolean, ADD COLUMN conduct_after_retraining text,"
        " ADD COLUMN learning_after_retest text, ADD COLUMN qualities jsonb"
    )
