"""Take in the words that the old code stored since 0003, and drop the indexes over trigrams, which nobody asks now."""

from alembic import op

revision = "0005_post"
down_revision = "0004_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO name_word SELECT DISTINCT word FROM ("
        " SELECT unnest(string_to_array(search_name, ' ')) FROM pupil WHERE NOT deleted"
        " UNION ALL SELECT unnest(string_to_array(search_name, ' ')) FROM staff_member WHERE NOT deleted"
        ") AS held(word) WHERE word <> '' ON CONFLICT DO NOTHING"
    )
    op.execute("DROP INDEX pupil_search")
    op.execute("DROP INDEX staff_member_search")
