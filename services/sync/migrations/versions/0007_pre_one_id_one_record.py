"""One id out there, one record here; records left in closed packages go again; outcomes are found by package.

An id was made of the record's key and stayed when the key changed, so that a key used again made the same id: two of
our records wrote over one of theirs. Old code that would do so again is refused until new code has taken over.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The one sent last keeps the id, the others get their own; all of them go again, above the highest version sent.
PART_TWINS = """
WITH twin AS (
    SELECT destination, record_id, max(version) AS highest FROM outgoing_record
    GROUP BY destination, record_id HAVING count(*) > 1
), ranked AS (
    SELECT r.destination, r.school_id, r.type, r.key, twin.highest,
        row_number() OVER (PARTITION BY r.destination, r.record_id ORDER BY r.deleted, r.version DESC, r.key) AS place
    FROM outgoing_record AS r JOIN twin ON twin.destination = r.destination AND twin.record_id = r.record_id
), parted AS (
    UPDATE outgoing_record AS r
    SET record_id = CASE WHEN place = 1 THEN r.record_id ELSE gen_random_uuid() END, version = highest,
        accepted_version = CASE WHEN place = 1 THEN r.accepted_version ELSE 0 END, package_id = NULL,
        state = CASE WHEN r.state = 3 OR (r.state = 5 AND NOT r.deleted) THEN 7 ELSE r.state END, retry_time = NULL
    FROM ranked
    WHERE r.destination = ranked.destination AND r.school_id = ranked.school_id AND r.type = ranked.type
        AND r.key = ranked.key
    RETURNING r.destination, r.school_id
)
"""
FREE_STUCK = """
WITH parted AS (
    UPDATE outgoing_record AS r SET state = 7, package_id = NULL, retry_time = NULL
    WHERE r.state = 3 AND NOT EXISTS (
        SELECT FROM push_package AS p WHERE p.package_id = r.package_id AND p.state < 3)
    RETURNING r.destination, r.school_id
)
"""
MAKE_DUE = """
UPDATE school_push AS s SET due = true, dirty = true, note_number = note_number + 1, next_attempt_time = NULL
FROM (SELECT DISTINCT destination, school_id FROM parted) AS changed
WHERE s.destination = changed.destination AND s.school_id = changed.school_id
"""


def upgrade() -> None:
    # Beside the writers; may be run again, since building an index so may fail half way.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX IF EXISTS push_outcome_package")
        op.execute("CREATE INDEX CONCURRENTLY push_outcome_package ON push_outcome (package_id)")
    op.execute("LOCK TABLE outgoing_record IN SHARE ROW EXCLUSIVE MODE")
    op.execute(PART_TWINS + MAKE_DUE)
    op.execute(FREE_STUCK + MAKE_DUE)
    op.execute("CREATE UNIQUE INDEX outgoing_record_id ON outgoing_record (destination, record_id)")
