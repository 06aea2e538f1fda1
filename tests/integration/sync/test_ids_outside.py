"""Migration of the way out: two records under one id are parted, and what lay in closed packages goes again."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from chassis.database import open_database
from chassis.migrations_env import migrate
from tests.support.databases import Templates, migrations_of

MIGRATION = "0007_pre_one_id_one_record.py"
OLD = """
INSERT INTO destination (code, kind, display_name, endpoint, unit_id, calls_per_second, package_size, create_time)
VALUES ('moet', 1, '', '', 0, 1, 1, now());
INSERT INTO school_push (destination, school_id, due) VALUES ('moet', 1, false), ('moet', 2, false);
INSERT INTO push_package VALUES
(CAST(md5('open') AS uuid), 'moet', 1, 0, 0, '', '', 2, 1, 'x', now()),
(CAST(md5('closed') AS uuid), 'moet', 2, 0, 0, '', '', 3, 1, '', now());
INSERT INTO outgoing_record (destination, school_id, type, key, record_id, position, record_type, school_year,
    parent_type, parent_key, counts, deleted, row, state, state_time, note_time, version, accepted_version, package_id)
SELECT 'moet', school, 5, key, CAST(md5(id) AS uuid), 1, 0, 0, 0, '', false, false, '', state, now(), now(), version,
    version, CAST(md5(package) AS uuid)
FROM (VALUES (1, 'HS9', 'TAM-1', 5, 3, NULL), (1, 'TAM-1', 'TAM-1', 5, 8, NULL), (1, 'HS2', 'HS2', 5, 4, NULL),
    (1, 'HS3', 'HS3', 3, 1, 'open'), (2, 'HS4', 'HS4', 3, 1, 'closed'))
    AS given(school, key, id, state, version, package)
"""


def _from_the_migration_on(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or (name[:4].isdigit() and name >= MIGRATION)]


async def test_records_under_one_id_are_parted_and_stuck_ones_are_freed(templates: Templates, tmp_path: Path) -> None:
    """The one sent last keeps the id; both go again above all that was sent; others are left as they are."""
    url = await templates.empty("sync")
    whole = migrations_of("sync")
    before = shutil.copytree(whole, tmp_path / "before", ignore=_from_the_migration_on)
    await migrate(url, before)
    async with open_database(url) as database, database.transaction() as writes:
        for statement in OLD.split(";\n"):
            await writes.execute(sa.text(statement))

    await migrate(url, whole)

    async with open_database(url) as database, database.connection() as reads:
        found = await reads.execute(
            sa.text(
                "SELECT key, record_id = CAST(md5(CASE key WHEN 'HS9' THEN 'TAM-1' ELSE key END) AS uuid) AS same,"
                " state, version, accepted_version FROM outgoing_record ORDER BY key"
            )
        )
        assert [tuple(row) for row in found] == [
            ("HS2", True, 5, 4, 4),
            ("HS3", True, 3, 1, 1),
            ("HS4", True, 7, 1, 1),
            ("HS9", False, 7, 8, 0),
            ("TAM-1", True, 7, 8, 8),
        ]
        assert list(await reads.scalars(sa.text("SELECT school_id FROM school_push WHERE due ORDER BY 1"))) == [1, 2]
    async with open_database(url) as database:
        with pytest.raises(IntegrityError):
            async with database.transaction() as writes:
                await writes.execute(sa.text("UPDATE outgoing_record SET record_id = CAST(md5('HS2') AS uuid)"))


async def test_outcomes_of_a_package_are_found_by_an_index(templates: Templates) -> None:
    """Forgetting old packages reads their outcomes, not all there are."""
    url = await templates.empty("sync")
    await migrate(url, migrations_of("sync"))
    async with open_database(url) as database, database.transaction() as connection:
        await connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = await connection.scalars(
            sa.text("EXPLAIN DELETE FROM push_outcome WHERE package_id = CAST(md5('x') AS uuid)")
        )
        assert "push_outcome_package" in "\n".join(plan)
