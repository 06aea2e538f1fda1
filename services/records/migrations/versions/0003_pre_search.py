"""Make people findable by words, facets and the last signs of their ids: one index a table, and the words of names.

Words, not trigrams: a province's names are made of a few thousand words, so what someone typed is first turned into
words that exist (`name_word`), and those are looked up whole. The index costs a push no more than the one over
trigrams, which goes in 0005.
"""

from alembic import op

revision = "0003_pre"
down_revision = "0002_pre"
branch_labels = None
depends_on = None

PUPIL = """
    string_to_array(
        search_name || ' @' || school_id::text || ' ~' || school_year::text
        || ' =' || coalesce(extract(year FROM birth_date)::integer, 0)::text || ' /' || grade
        || ' p' || right(personal_id, 3) || ' m' || right(ministry_code, 3)
        || ' #' || (length(search_name) - length(replace(search_name, ' ', '')) + 1)::text, ' ')"""
STAFF = """
    string_to_array(
        search_name || ' @' || school_id::text || ' ~' || school_year::text
        || ' =' || coalesce(extract(year FROM birth_date)::integer, 0)::text
        || ' p' || right(personal_id, 3)
        || ' #' || (length(search_name) - length(replace(search_name, ' ', '')) + 1)::text, ' ')"""


def upgrade() -> None:
    # Each step may be run again: building an index beside the writers ends the transaction, and may fail.
    op.execute('CREATE TABLE IF NOT EXISTS name_word (word text COLLATE "C" PRIMARY KEY)')
    op.execute(
        "INSERT INTO name_word SELECT DISTINCT word FROM ("
        " SELECT unnest(string_to_array(search_name, ' ')) FROM pupil WHERE NOT deleted"
        " UNION ALL SELECT unnest(string_to_array(search_name, ' ')) FROM staff_member WHERE NOT deleted"
        ") AS held(word) WHERE word <> '' ON CONFLICT DO NOTHING"
    )
    # Beside the writers: building it over a province takes seconds, in which schools go on pushing.
    with op.get_context().autocommit_block():
        for table, terms in (("pupil", PUPIL), ("staff_member", STAFF)):
            op.execute(f"DROP INDEX IF EXISTS {table}_terms")
            op.execute(f"CREATE INDEX CONCURRENTLY {table}_terms ON {table} USING gin (({terms})) WHERE NOT deleted")
            op.execute(f"ANALYZE {table}")
