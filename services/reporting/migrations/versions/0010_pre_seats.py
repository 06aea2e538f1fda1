"""Who sits in a class and counts at another school: part of the class's size, of no stock.

Old code keeps `size` as it did, and what it writes of such a pupil neither seats nor unseats anybody until a rebuild.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE fact ADD COLUMN beside boolean")
    op.execute("COMMENT ON COLUMN fact.beside IS 'Whether a pupil who counts at another school sits here; null: no.'")
    op.execute("ALTER TABLE class_figure ADD COLUMN beside integer")
    op.execute("COMMENT ON COLUMN class_figure.size IS 'Pupils of the class who count at the school.'")
    op.execute(
        "COMMENT ON COLUMN class_figure.beside IS 'Pupils who sit in it and count at another school; null: none.'"
    )
    op.execute(
        "ALTER TABLE class_figure ALTER COLUMN oversize"
        " SET EXPRESSION AS (active AND size_limit > 0 AND size + coalesce(beside, 0) > size_limit)"
    )
