"""Hand-overs: which source owns a collection of a school from an instant on. None is ever changed or deleted.

The index answers who owns what in a school: a question that each transaction with rows asks.
"""

from alembic import op

revision = "0018_pre"
down_revision = "0017_post"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE hand_over (
            school_id bigint NOT NULL,
            hand_over_id bigint GENERATED ALWAYS AS IDENTITY,
            collection text NOT NULL,
            source text NOT NULL CHECK (source <> ''),
            from_time timestamptz NOT NULL,
            handed_over_by text NOT NULL,
            reason text NOT NULL,
            create_time timestamptz NOT NULL,
            PRIMARY KEY (school_id, hand_over_id)
        )
        """
    )
    op.execute(
        "CREATE INDEX hand_over_in_force ON hand_over (school_id, collection, from_time DESC, hand_over_id DESC)"
        " INCLUDE (source)"
    )
