"""Migrations in two phases: what old code can live with first, the rest later; never two runs at once."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from chassis.database import chassis_tables, open_database
from chassis.migrations_env import migrate
from tests.support.databases import CHASSIS, Templates

REVISION = '''"""A revision of the test."""

from alembic import op

revision = "{number:04}"
down_revision = {before!r}


def upgrade() -> None:
    op.execute("""{statement}""")
'''


def scripts(folder: Path, *revisions: tuple[str, str]) -> Path:
    """A folder of migrations: each revision a phase and a statement."""
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "env.py").write_text("from chassis.migrations_env import run\n\nrun()\n")
    for number, (phase, statement) in enumerate(revisions, start=1):
        before = f"{number - 1:04}" if number > 1 else None
        text = REVISION.format(number=number, before=before, statement=statement)
        (folder / "versions" / f"{number:04}_{phase}_step.py").write_text(text)
    return folder


async def columns(url: str) -> list[str]:
    """The columns of the table the revisions work on."""
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'thing' ORDER BY ordinal_position"
    async with open_database(url) as database, database.connection() as connection:
        return list(await connection.scalars(sa.text(query)))


async def test_phase_pre_stops_before_what_old_code_cannot_live_with(templates: Templates, tmp_path: Path) -> None:
    """Pre applies up to the first pending post, again and again the same; post applies the rest."""
    url = await templates.empty("migrated")
    folder = scripts(
        tmp_path,
        ("pre", "CREATE TABLE thing (a int)"),
        ("pre", "ALTER TABLE thing ADD COLUMN b int"),
        ("post", "ALTER TABLE thing DROP COLUMN a"),
        ("pre", "ALTER TABLE thing ADD COLUMN c int"),
    )
    assert await migrate(url, folder, "pre") == ["0001", "0002"]
    assert await migrate(url, folder, "pre") == []
    assert await columns(url) == ["a", "b"]
    assert await migrate(url, folder, "post") == ["0003", "0004"]
    assert await columns(url) == ["b", "c"]
    assert await migrate(url, folder) == []


async def test_two_runs_at_once_apply_each_revision_once(templates: Templates, tmp_path: Path) -> None:
    """Two migration jobs started together: one works, the other finds nothing left to do."""
    url = await templates.empty("migrated")
    folder = scripts(tmp_path, ("pre", "CREATE TABLE thing (a int)"), ("pre", "ALTER TABLE thing ADD COLUMN b int"))
    applied = await asyncio.gather(migrate(url, folder), migrate(url, folder))
    assert sorted(map(len, applied)) == [0, 2]
    assert await columns(url) == ["a", "b"]


async def test_a_revision_that_fails_can_be_run_again(templates: Templates, tmp_path: Path) -> None:
    """What came before it stays applied, of itself nothing does."""
    url = await templates.empty("migrated")
    folder = scripts(
        tmp_path,
        ("pre", "CREATE TABLE thing (a int)"),
        ("pre", "ALTER TABLE thing ADD COLUMN b int; ALTER TABLE nothing ADD COLUMN c int"),
    )
    with pytest.raises(DBAPIError, match="nothing"):
        await migrate(url, folder)
    assert await columns(url) == ["a"]
    scripts(tmp_path, ("pre", "CREATE TABLE thing (a int)"), ("pre", "ALTER TABLE thing ADD COLUMN b int"))
    assert await migrate(url, folder) == ["0002"]
    assert await columns(url) == ["a", "b"]


async def test_a_database_ahead_of_the_program_is_refused(templates: Templates, tmp_path: Path) -> None:
    """An older version must not guess at a newer schema."""
    url = await templates.empty("migrated")
    await migrate(url, scripts(tmp_path / "new", ("pre", "CREATE TABLE thing (a int)"), ("pre", "SELECT 1")))
    with pytest.raises(LookupError, match="0002"):
        await migrate(url, scripts(tmp_path / "old", ("pre", "CREATE TABLE thing (a int)")))


async def test_every_column_of_the_chassis_says_what_it_is_for(templates: Templates) -> None:
    """The comments are in the database, where an operator looks."""
    url = await templates.empty("migrated")
    await migrate(url, CHASSIS)
    tables = [table.name for table in vars(chassis_tables(sa.MetaData())).values()]
    query = sa.text(
        "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0"
        " AND col_description(attrelid, attnum) IS NULL"
    )
    async with open_database(url) as database, database.connection() as connection:
        bare = {table: list(await connection.scalars(query, {"table": table})) for table in tables}
    assert bare == {"outbox": [], "inbox": [], "dead_letter": []}
