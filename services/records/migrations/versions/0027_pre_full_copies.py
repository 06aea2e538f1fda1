"""Full copies: up to which version a source has told all of a collection of a school's year.

A row below it of a record that is not there comes late. No key is kept: those still awaited are numbers made of theirs.
"""

from alembic import op

revision = "0027_pre"
down_revision = "0026_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE full_copy (
            school_id bigint NOT NULL,
            collection text NOT NULL,
            school_year integer NOT NULL,
            source text NOT NULL,
            version bigint NOT NULL,
            awaited bigint[] NOT NULL,
            PRIMARY KEY (school_id, collection, school_year, source)
        )
        """
    )
