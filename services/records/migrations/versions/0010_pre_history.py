"""History: what records were before they were replaced, which batch brought what they are, and how long it is kept.

The batch stands with each record. The column takes nothing and must be allowed to be empty: the old code copies into
temporary tables made like these, which take over that a column must be filled, but not its default.
"""

from alembic import op

revision = "0010_pre"
down_revision = "0009_pre"
branch_labels = None
depends_on = None

RECORDS = ("school_profile", "staff_member", "school_class", "pupil", "attendance_register", "result")


def upgrade() -> None:
    for table in RECORDS:
        op.execute(f"ALTER TABLE {table} ADD COLUMN request_id text")
    op.execute(
        """
        CREATE TABLE record_history (
            school_id bigint NOT NULL,
            type smallint NOT NULL,
            key text COLLATE "C" NOT NULL,
            history_id bigint GENERATED ALWAYS AS IDENTITY,
            version bigint NOT NULL,
            source text NOT NULL,
            deleted boolean NOT NULL,
            from_time timestamptz NOT NULL,
            until_time timestamptz NOT NULL CHECK (until_time >= from_time),
            request_id text,
            image jsonb NOT NULL,
            PRIMARY KEY (school_id, type, key, history_id)
        )
        """
    )
    # What is replaced together lies together: a few bytes for a thousand images.
    op.execute("CREATE INDEX record_history_until ON record_history USING brin (until_time)")
    op.execute(
        """
        CREATE TABLE history_retention (
            collection text PRIMARY KEY,
            kept_days integer CHECK (kept_days > 0), -- null: for ever
            source text NOT NULL,
            pruned_until timestamptz
        )
        """
    )
    op.execute(
        """
        INSERT INTO history_retention (collection, kept_days, source) VALUES
            ('profiles', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'), ('staff', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('classes', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'), ('pupils', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('results', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'), ('attendance', 1826, 'Quy định của địa phương')
        """
    )
