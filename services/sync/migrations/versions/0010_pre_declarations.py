"""Declarations of everything: what a source said to tell completely, in how many batches, and what became of it.

Of what was in a batch only numbers made of keys are kept.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE declaration (
            school_id bigint NOT NULL,
            unit_id bigint NOT NULL,
            source text COLLATE "C" NOT NULL,
            declaration_id text COLLATE "C" NOT NULL,
            school_year integer NOT NULL,
            collection text NOT NULL,
            version bigint NOT NULL,
            batch_count integer NOT NULL, -- 0: its end was not said yet
            backfill boolean NOT NULL,
            state smallint NOT NULL,
            outcome bytea NOT NULL,
            decided_by text NOT NULL DEFAULT '',
            create_time timestamptz NOT NULL,
            PRIMARY KEY (school_id, unit_id, source, declaration_id)
        )
        """
    )
    op.execute("CREATE INDEX declaration_age ON declaration (create_time)")
    op.execute(
        """
        CREATE TABLE declaration_batch (
            school_id bigint NOT NULL,
            unit_id bigint NOT NULL,
            source text COLLATE "C" NOT NULL,
            declaration_id text COLLATE "C" NOT NULL,
            batch_id text COLLATE "C" NOT NULL,
            numbers bytea NOT NULL, -- 8 bytes of each record that stood in it
            unsure_count integer NOT NULL,
            PRIMARY KEY (school_id, unit_id, source, declaration_id, batch_id),
            FOREIGN KEY (school_id, unit_id, source, declaration_id) REFERENCES declaration ON DELETE CASCADE
        )
        """
    )
