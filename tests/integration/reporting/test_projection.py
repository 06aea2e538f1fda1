"""The projections against a recount: whatever order, repetition and interleaving changes come in."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.database import Database
from services.reporting.domain.figures import ClassFigures, FactRow
from services.reporting.store import projection, recount
from services.reporting.store.mirror import Mirror
from tests.support.databases import DatabaseFactory

YEAR = 2026
TABLES = ("fact", "stock", "class_figure", "school_figure", "tally", "movement")


def _pupil(key: str, position: int, *, school: int = 1, year: int = YEAR, level: str = "02", grade: str = "03",
          sex: str = "1", group: str = "01", class_key: str = "A", status: str = "01") -> FactRow:  # fmt: skip
    return (school, "pupils", key, position, year, level, grade, sex, group, class_key, "", status)


def _school_class(key: str, position: int, *, school: int = 1, year: int = YEAR, level: str = "02", grade: str = "03",
                 name: str = "3A") -> FactRow:  # fmt: skip
    return (school, "classes", key, position, year, level, grade, "", "", key, name, "01")


def _gone(measure: str, key: str, position: int, *, school: int = 1) -> FactRow:
    return (school, measure, key, position, 0, "", "", "", "", "", "", None)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of reporting."""
    return await database_factory("reporting")


async def _merge(database: Database, *rows: FactRow) -> projection.Changed:
    async with database.transaction() as connection:
        return await projection.merge(connection, rows)


async def _stocks(database: Database) -> dict[tuple[str, ...], int]:
    async with database.connection() as connection:
        rows = await connection.execute(
            text("SELECT measure, level, grade, sex, ethnic_group, value FROM stock WHERE value <> 0")
        )
        return {tuple(row[:-1]): row.value for row in rows}


async def test_a_pupil_who_moves_grade_is_counted_where_he_is_now(database: Database) -> None:
    """A change of dimension takes one from the old stock and adds one to the new."""
    await _merge(database, _pupil("p", 1, grade="03"))
    await _merge(database, _pupil("p", 2, grade="04"))
    assert await _stocks(database) == {("pupils", "02", "04", "1", "01"): 1}


async def test_an_older_change_that_comes_late_changes_nothing(database: Database) -> None:
    """The position in the feed decides what is newer, not the order of arrival."""
    await _merge(database, _pupil("p", 5, grade="04"))
    changed = await _merge(database, _pupil("p", 3, grade="03"))
    assert (changed.schools, changed.classes) == ((), ())
    assert await _stocks(database) == {("pupils", "02", "04", "1", "01"): 1}


async def test_a_pupil_who_leaves_is_no_longer_counted(database: Database) -> None:
    """Only the statuses of the counting rule are in stock."""
    await _merge(database, _pupil("p", 1), _pupil("q", 2, status="03"))
    changed = await _merge(database, _pupil("p", 3, status="05"))
    assert [school.pupil_count for school in changed.schools] == [1]
    assert sum((await _stocks(database)).values()) == 1


async def test_a_tombstone_that_comes_first_keeps_the_record_out(database: Database) -> None:
    """A deletion known before the record it deletes is still the newest word."""
    await _merge(database, _gone("pupils", "p", 2))
    await _merge(database, _pupil("p", 1))
    assert await _stocks(database) == {}


async def test_several_changes_of_one_record_in_a_batch_count_as_the_newest(database: Database) -> None:
    """A batch may hold a record's whole life."""
    await _merge(database, _pupil("p", 3, grade="05"), _pupil("p", 1, grade="03"), _gone("pupils", "p", 2))
    assert await _stocks(database) == {("pupils", "02", "05", "1", "01"): 1}


async def test_a_class_over_its_limit_is_counted_and_told_with_the_document(database: Database) -> None:
    """Primary classes hold 35 pupils: the 36th makes the class oversize, its leaving ends that."""
    await _merge(database, _school_class("A", 1), *(_pupil(f"p{n}", 10 + n) for n in range(35)))
    assert ("classes_oversize", "02", "03", "", "") not in await _stocks(database)
    changed = await _merge(database, _pupil("p35", 50))
    assert changed.classes == [
        ClassFigures(1, YEAR, "A", "3A", "03", 36, 35, "TT 15/2026/TT-BGDĐT", active=True, version=2)
    ]
    assert (await _stocks(database))["classes_oversize", "02", "03", "", ""] == 1
    await _merge(database, _pupil("p35", 51, status="04"))
    assert ("classes_oversize", "02", "03", "", "") not in await _stocks(database)


async def test_who_sits_in_a_class_and_counts_elsewhere_is_of_its_size_and_of_no_stock(database: Database) -> None:
    """A second enrolment makes a class oversize, and ends that; one who has left it sits nowhere."""
    await _merge(database, _school_class("A", 1), *(_pupil(f"p{n}", 10 + n) for n in range(35)))
    before = await _stocks(database)
    changed = await _merge(database, _pupil("q", 50, status="beside:01"), _pupil("r", 51, status="beside:05"))
    assert [(one.size, one.size_limit) for one in changed.classes] == [(36, 35)]
    assert await _stocks(database) == before | {("classes_oversize", "02", "03", "", ""): 1}
    moved = await _merge(database, _pupil("q", 52, status="beside:01", class_key="B"))
    assert {one.class_key: one.size for one in moved.classes} == {"A": 35, "B": 1}
    assert await _stocks(database) == before
    turned = await _merge(database, _pupil("q", 53, class_key="B"))
    assert [school.pupil_count for school in turned.schools] == [36]
    assert {one.class_key: one.size for one in turned.classes} == {"B": 1}, "who counts here now sat there before"


async def test_the_limit_is_that_of_the_school_year(database: Database) -> None:
    """The charter of 2026 does not name the limit of a class of 2025."""
    changed = await _merge(database, _school_class("A", 1, year=2025), _school_class("B", 2, year=2026))
    assert {figures.school_year: figures.limit_source for figures in changed.classes} == {
        2025: "TT 28/2020/TT-BGDĐT",
        2026: "TT 15/2026/TT-BGDĐT",
    }


async def test_pupils_known_before_their_class_are_its_size_once_it_is_known(database: Database) -> None:
    """Events come out of order; the class without a record is not active and has no limit."""
    first = await _merge(database, _pupil("p", 1), _pupil("q", 2))
    assert [(figures.size, figures.active, figures.size_limit) for figures in first.classes] == [(2, False, 0)]
    then = await _merge(database, _school_class("A", 3))
    assert [(figures.size, figures.active, figures.size_limit) for figures in then.classes] == [(2, True, 35)]


async def test_versions_rise_with_each_change(database: Database) -> None:
    """Whoever gets two events of one school knows which is newer."""
    versions = []
    for position in range(1, 4):
        changed = await _merge(database, _pupil(f"p{position}", position))
        versions.append((changed.schools[0].version, changed.classes[0].version))
    assert versions == sorted(set(versions))


async def test_a_recount_finds_a_figure_that_was_tampered_with_and_repairs_it(database: Database) -> None:
    """The verification can fail, and the repair makes it pass."""
    await _merge(database, _school_class("A", 1), _pupil("p", 2))
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE stock SET value = value + 1 WHERE measure = 'pupils'"))
        await connection.execute(text("UPDATE class_figure SET size = 7, beside = 2"))
        await connection.execute(text("UPDATE school_figure SET pupil_count = 9"))
    async with database.transaction() as connection:
        found = await recount.differences(connection)
        assert sorted(difference.table for difference in found) == ["class_figure", "school_figure", "stock"]
        changed = await recount.repair(connection, [1])
        assert [(school.pupil_count, school.class_count) for school in changed.schools] == [(1, 1)]
        assert await recount.differences(connection) == []


@dataclass(frozen=True)
class Step:
    """What happens to one record."""

    school: int
    measure: str
    key: str
    year: int
    grade: str
    sex: str
    group: str
    class_key: str
    status: str | None


STEPS = st.builds(
    Step,
    school=st.integers(1, 2),
    measure=st.sampled_from(["pupils", "pupils", "pupils", "classes", "staff"]),
    key=st.sampled_from("ABC"),
    year=st.sampled_from([2025, 2026]),
    grade=st.sampled_from(["01", "13"]),
    sex=st.sampled_from("012"),
    group=st.sampled_from(["01", "26"]),
    class_key=st.sampled_from(["", "A", "B"]),
    status=st.sampled_from(["01", "01", "05", "beside:01", "beside:05", None]),
)


def _row_of(step: Step, position: int) -> FactRow:
    if step.status is None:
        return _gone(step.measure, step.key, position, school=step.school)
    level = "02" if step.grade == "01" else "01"
    if step.measure == "classes":
        return _school_class(step.key, position, school=step.school, year=step.year, level=level, grade=step.grade)
    row = _pupil(step.key, position, school=step.school, year=step.year, level=level, grade=step.grade, sex=step.sex,
                group=step.group, class_key=step.class_key, status=step.status)  # fmt: skip
    return row if step.measure == "pupils" else (*row[:1], "staff", *row[2:6], "", *row[7:9], "", "", row[11])


@settings(max_examples=60)
@given(steps=st.lists(STEPS, min_size=1, max_size=25), data=st.data())
async def test_any_order_repetition_and_interleaving_gives_the_recount(database, steps, data):
    """Two replicas at once, batches in any order, some twice: the stocks are those of the newest facts."""
    rows = [_row_of(step, position) for position, step in enumerate(steps, start=1)]
    repeated = data.draw(st.lists(st.sampled_from(rows), max_size=5))
    arriving = data.draw(st.permutations([*rows, *repeated]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(arriving)), max_size=4)))
    batches = [arriving[start:end] for start, end in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]
    async with database.transaction() as connection:
        for table in TABLES:
            await connection.execute(text(f"TRUNCATE {table}"))
        # Limits that a handful of pupils can pass.
        await connection.execute(text("UPDATE norm SET size_limit = 1"))

    async def replica(share: list[list[FactRow]]) -> None:
        for batch in share:
            await _merge(database, *batch)

    await asyncio.gather(replica(batches[::2]), replica(batches[1::2]))
    newest = {(row[0], row[1], row[2]): row for row in rows}
    expected: dict[tuple[str, ...], int] = {}
    for row in newest.values():
        counted = row[11] in ({"01"} if row[1] != "pupils" else {"01", "02", "03", "06", "07", "10"})
        if counted:
            cell = (row[1], row[5], row[6], row[7], row[8])
            expected[cell] = expected.get(cell, 0) + 1
    async with database.connection() as connection:
        assert await recount.differences(connection) == []
        summed = await connection.execute(
            text(
                "SELECT measure, level, grade, sex, ethnic_group, sum(value) AS value FROM stock"
                " WHERE measure <> 'classes_oversize' GROUP BY 1, 2, 3, 4, 5 HAVING sum(value) <> 0"
            )
        )
        assert {tuple(row[:-1]): row.value for row in summed} == expected
        seated = await connection.execute(
            text(
                "SELECT school_id, school_year, class_key, size + coalesce(beside, 0) AS seats FROM class_figure"
                " WHERE size + coalesce(beside, 0) <> 0"
            )
        )
        assert {tuple(row[:-1]): row.seats for row in seated} == _seats(newest.values())


def _seats(rows: Iterable[FactRow]) -> Counter[tuple[int, int, str]]:
    """How many sit in each class, by school and school year."""
    sitting = {f"{before}{status}" for before in ("", "beside:") for status in ("01", "02", "03", "06", "07", "10")}
    return Counter((row[0], row[4], row[9]) for row in rows if row[1] == "pupils" and row[9] and row[11] in sitting)


@settings(max_examples=30)
@given(batches=st.lists(st.lists(STEPS, min_size=1, max_size=6), min_size=1, max_size=6))
async def test_the_mirror_is_the_recount_after_every_batch(database, batches):
    """Whatever moved since the last question, school by school and year by year, memory holds what the facts say."""
    async with database.transaction() as connection:
        for table in TABLES:
            await connection.execute(text(f"TRUNCATE {table}"))
    mirror = Mirror(database)
    position = 0
    for batch in batches:
        rows = [_row_of(step, position := position + 1) for step in batch]
        await _merge(database, *rows)
        for year in (2025, 2026):
            stocks = await mirror.stocks(year)
            held = {
                (
                    school,
                    measure,
                    *stocks.combinations[measure].known[number][:3],
                    *stocks.combinations[measure].known[number][-1:],
                ): value
                for measure, schools in stocks.columns.items()
                for school, column in schools.items()
                for number, value in zip(column.combinations, column.values, strict=True)
                if measure != "classes_oversize"
            }
            async with database.connection() as connection:
                counted = await connection.execute(
                    text(
                        "SELECT school_id, measure, level, grade, sex, ethnic_group, count(*) AS value FROM fact"
                        " WHERE counted AND school_year = :year GROUP BY 1, 2, 3, 4, 5, 6 UNION ALL"
                        " SELECT pupil.school_id, 'placed_pupils', class.level, class.grade, '', '', count(*)"
                        " FROM fact AS pupil JOIN fact AS class ON class.measure = 'classes' AND class.counted"
                        " AND class.school_id = pupil.school_id AND class.school_year = pupil.school_year"
                        " AND class.key = pupil.class_key"
                        " WHERE pupil.measure = 'pupils' AND pupil.counted AND pupil.school_year = :year"
                        " GROUP BY 1, 3, 4 UNION ALL"
                        " SELECT pupil.school_id, 'seated_pupils', class.level, class.grade, '', '', count(*)"
                        " FROM fact AS pupil JOIN fact AS class ON class.measure = 'classes' AND class.counted"
                        " AND class.school_id = pupil.school_id AND class.school_year = pupil.school_year"
                        " AND class.key = pupil.class_key WHERE pupil.measure = 'pupils'"
                        " AND pupil.status IN ('01', 'beside:01') AND pupil.school_year = :year"
                        " GROUP BY 1, 3, 4 UNION ALL"
                        " SELECT school_id, 'dropouts', level, grade, sex, '', count(*) FROM fact"
                        " WHERE dropped AND school_year = :year GROUP BY 1, 3, 4, 5"
                    ),
                    {"year": year},
                )
                assert held == {tuple(row[:-1]): row.value for row in counted}


async def test_the_year_asked_for_longest_ago_is_dropped_first(database, monkeypatch):
    """Questions about odd years do not throw out the one that everybody asks about, though it was read first."""
    mirror = Mirror(database, most_years=2)
    read: list[int] = []
    reading = mirror._read

    async def noted(connection, school_year, known, *, head):
        read.append(school_year)
        return await reading(connection, school_year, known, head=head)

    monkeypatch.setattr(mirror, "_read", noted)
    for year in (2026, 2001, 2026, 2002, 2026, 2003, 2026):
        await mirror.stocks(year)
    assert read == [2026, 2001, 2002, 2003]


async def test_nothing_known_outlives_a_restore_to_an_earlier_head(database: Database) -> None:
    """What came after the backup is gone from memory too, and nothing of it is added to what comes again."""
    await _merge(database, _pupil("p", 1, school=1), _pupil("q", 2, school=2))
    mirror = Mirror(database)
    before = await mirror.stocks(YEAR)
    await _merge(database, _pupil("p", 3, school=1, status="05"), _pupil("r", 4, school=3))
    assert (await mirror.stocks(YEAR)).reporting == {1, 2, 3}
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE head SET position = :position"), {"position": before.head.position})
        await connection.execute(text("DELETE FROM school_figure WHERE school_id = 3"))
        await connection.execute(text("DELETE FROM stock WHERE school_id = 3"))
        await connection.execute(text("UPDATE stock SET value = 1 WHERE school_id = 1"))
        await connection.execute(
            text("UPDATE school_figure SET version = :position, pupil_count = 1 WHERE school_id = 1"),
            {"position": before.head.position},
        )
    after = await mirror.stocks(YEAR)
    assert after.head.position == before.head.position
    assert after.reporting == {1, 2}
    assert {school: list(column.values) for school, column in after.columns["pupils"].items()} == {1: [1], 2: [1]}
