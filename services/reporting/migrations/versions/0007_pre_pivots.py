"""Pivots kept under a name, and exports of them; an export is of a campaign or of a pivot."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE pivot (
            pivot_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            unit_id bigint NOT NULL,
            owner text NOT NULL,
            name text NOT NULL,
            shared boolean NOT NULL,
            question jsonb NOT NULL,
            interval smallint NOT NULL,
            hour smallint NOT NULL,
            day smallint NOT NULL,
            format text NOT NULL,
            language text NOT NULL,
            next_time timestamptz,
            revision bigint NOT NULL,
            update_time timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX pivot_unit ON pivot (unit_id, name)")
    op.execute("CREATE INDEX pivot_owner ON pivot (owner)")
    op.execute("CREATE INDEX pivot_due ON pivot (next_time) WHERE next_time IS NOT NULL")
    op.execute("COMMENT ON TABLE pivot IS 'Analyses kept under a name; some are shared, some sent by a schedule.'")
    op.execute("COMMENT ON COLUMN pivot.question IS 'As JSON of iocedu.reporting.v1.PivotQuestion.'")
    op.execute("COMMENT ON COLUMN pivot.interval IS '0 never, 1 daily, 2 weekly, 3 monthly; by the clock of Vietnam.'")
    op.execute("COMMENT ON COLUMN pivot.next_time IS 'When it is sent next; null: never.'")
    op.execute("ALTER TABLE export ALTER COLUMN campaign_id DROP NOT NULL")
    # Old code that claims one of a pivot ends it as failed, since it is of no campaign.
    op.execute("ALTER TABLE export ADD COLUMN pivot_id bigint, ADD COLUMN scheduled boolean NOT NULL DEFAULT false")
    op.execute("COMMENT ON COLUMN export.scheduled IS 'Whether its owner is told once it has ended.'")
