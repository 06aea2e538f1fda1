"""Keep what happened to each alert, and find the open alerts of a rule."""

from alembic import op

revision = "0002_pre"
down_revision = "0001_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alert ADD COLUMN history jsonb NOT NULL DEFAULT '[]'")
    op.execute("CREATE INDEX alert_by_rule ON alert (rule, rule_version) WHERE state <> 3")
