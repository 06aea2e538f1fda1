"""Seals of the access log: a chain of hashes beside the entries, which stay as they are; and indexes to ask by.

What waits for its seal is queued by the database itself, in the transaction of the entry, whoever writes it, the old
code included: an entry whose transaction ends late, under a lower number than sealed ones, can so never be passed over.
"""

from alembic import op

revision = "0011_pre"
down_revision = "0010_pre"
branch_labels = None
depends_on = None

INDEXES = {
    "access_log_read_time": "(read_time, entry_id)",
    "access_log_unit": "(unit_id, read_time, entry_id)",
    "access_log_subject": "(subject, read_time, entry_id)",
}


def upgrade() -> None:
    # Each step may be run again: building an index beside the writers ends the transaction, and may fail.
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS access_seal (
            sequence bigint PRIMARY KEY CHECK (sequence > 0),
            entry_id bigint NOT NULL UNIQUE,
            hash bytea NOT NULL CHECK (octet_length(hash) = 32)
        )
        """
    )
    op.execute(
        """
        CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_seal
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
        """
    )
    op.execute("CREATE TABLE IF NOT EXISTS access_unsealed (entry_id bigint PRIMARY KEY)")
    # Its rows come and go; the few pages they live in are to be reused at once.
    op.execute(
        "ALTER TABLE access_unsealed SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
    )
    op.execute(
        """
        CREATE OR REPLACE FUNCTION queue_for_seal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO access_unsealed SELECT entry_id FROM written;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE OR REPLACE TRIGGER queue_for_seal AFTER INSERT ON access_log
            REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION queue_for_seal()
        """
    )
    with op.get_context().autocommit_block():
        # The trigger had to wait for every writer: what it did not see is committed, and is queued here.
        op.execute(
            "INSERT INTO access_unsealed SELECT entry_id FROM access_log AS entry"
            " WHERE NOT EXISTS (SELECT FROM access_seal AS seal WHERE seal.entry_id = entry.entry_id)"
            " ON CONFLICT DO NOTHING"
        )
        for name, columns in INDEXES.items():
            op.execute(f"DROP INDEX IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON access_log {columns}")
