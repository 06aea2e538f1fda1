"""Keys of records that were erased: rows that come under them are refused, and what they hold is not kept."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE erased_key (
            place_id bigint NOT NULL,
            key text COLLATE "C" NOT NULL,
            PRIMARY KEY (place_id, key)
        )
        """
    )
