"""Extracts for research: who asked and approved, the cuts they are made of, and their exports."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE extract (
            extract_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            unit_id bigint NOT NULL,
            school_year integer NOT NULL,
            columns text[] NOT NULL,
            levels text[] NOT NULL,
            format text NOT NULL,
            language text NOT NULL,
            purpose text NOT NULL,
            requested_by text NOT NULL,
            request_time timestamptz NOT NULL,
            approved_by text NOT NULL DEFAULT '',
            approve_time timestamptz,
            export_id bigint
        )
    """)
    op.execute("CREATE INDEX extract_unit ON extract (unit_id, extract_id)")
    op.execute("COMMENT ON TABLE extract IS 'Extracts for research that were asked for; they stay when files go.'")
    op.execute("""
        CREATE TABLE extract_cut (
            unit_id bigint NOT NULL,
            school_year integer NOT NULL,
            month date NOT NULL,
            columns text[] NOT NULL,
            combinations jsonb NOT NULL,
            left_out bigint NOT NULL,
            data_time timestamptz,
            create_time timestamptz NOT NULL,
            PRIMARY KEY (unit_id, school_year, month, columns)
        )
    """)
    op.execute("COMMENT ON TABLE extract_cut IS 'What is given of a set of columns: one decision a month for all.'")
    op.execute("COMMENT ON COLUMN extract_cut.combinations IS 'Values and, last, how many pupils; rare ones withheld.'")
    # Old code that claims one of an extract ends it as failed, since it is of no campaign.
    op.execute("ALTER TABLE export ADD COLUMN extract_id bigint")
