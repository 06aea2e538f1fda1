"""Batches that are only looked at, and batches that are stored whole or not at all."""

import asyncio
import random
from collections.abc import Sequence
from itertools import count
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2

from chassis.clock import Clock
from chassis.database import Database
from services.records.convert.incoming import Batch, read_batch
from services.records.usecases.apply import apply_rows, applying
from tests.integration.records.scenes import pupil
from tests.integration.records.test_together import ROWS
from tests.support.databases import DatabaseFactory

ACCEPTED, REJECTED = resources_pb2.ROW_STATE_ACCEPTED, resources_pb2.ROW_STATE_REJECTED
WRITTEN = ("pupil", "record_history", "record_rename", "outbox", "apply_request", "record_edit", "lock", "name_word")


async def batch_of(
    request_id: str, rows: Sequence[resources_pb2.Row], *, offset: int = 0, source: str = "vnedu", **how: Any
) -> Batch:
    """A batch for schools from `offset` on."""
    request = records_pb2.ApplyRowsRequest(request_id=request_id, source=source, rows=rows, **how)
    return await read_batch(request, school=lambda school: offset + int(school))


async def apply(database: Database, *batches: Batch) -> list[records_pb2.ApplyRowsResponse]:
    """Apply batches in one transaction."""
    async with database.transaction() as connection:
        answers = await apply_rows(connection, batches, now=Clock().now())
    return [records_pb2.ApplyRowsResponse.FromString(answer) for answer in answers]


async def everything(database: Database) -> list[list[tuple[object, ...]]]:
    """All that a batch could write."""
    async with database.connection() as connection:
        tables = [await connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1, 2") for name in WRITTEN[:-1]]
        words = await connection.exec_driver_sql("SELECT * FROM name_word ORDER BY 1")
        return [[tuple(row) for row in table] for table in (*tables, words)]


async def pupils(database: Database, *, after: int, until: int) -> list[tuple[object, ...]]:
    """What is stored of the pupils of some schools."""
    query = (
        "SELECT school_id, key, version, change_version, content_hash, deleted FROM pupil"
        f" WHERE school_id > {after} AND school_id <= {until} ORDER BY 1, 2"
    )
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(query)]


BATCHES = st.lists(st.lists(ROWS, min_size=1, max_size=6), min_size=1, max_size=4)


async def test_what_is_looked_at_is_answered_as_it_will_be_stored_and_nothing_is_left_of_it(
    database_factory: DatabaseFactory,
):
    """Whatever was stored before, alone or in one transaction with others, whole or not."""
    database = await database_factory("records")
    runs = count()

    async def compare(before: list[list[resources_pb2.Row]], rows: list[resources_pb2.Row], atomic: bool) -> None:  # noqa: FBT001
        run = next(runs)
        offset = run * 10
        for number, one in enumerate(before):
            await apply(database, await batch_of(f"{run}-{number}", one, offset=offset))
        there = await everything(database)
        looked, again = [
            await batch_of(f"{run}", rows, offset=offset, atomic=atomic, validate_only=True) for _ in range(2)
        ]
        (seen,) = await apply(database, looked)

        assert await everything(database) == there

        meant = await batch_of(f"{run}", rows, offset=offset, atomic=atomic)
        in_one, stored = await apply(database, again, meant)

        assert in_one == seen
        assert stored == seen

    @settings(max_examples=50)
    @given(BATCHES, st.lists(ROWS, min_size=1, max_size=6), st.booleans())
    def examples(before: list[list[resources_pb2.Row]], rows: list[resources_pb2.Row], atomic: bool) -> None:  # noqa: FBT001
        asyncio.run_coroutine_threadsafe(compare(before, rows, atomic), loop).result(30)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(examples)


async def test_looking_teaches_search_no_words(database_factory: DatabaseFactory):
    """Words are kept in a transaction of their own, before the rows: those of rows that are not stored must not be."""
    database = await database_factory("records")
    taking = applying(database, Clock())
    rows = [pupil("1", school="1", full_name="Xuân Quỳnh")]

    await taking.ask(await batch_of("1", rows, validate_only=True))

    assert await everything(database) == [[]] * len(WRITTEN)


async def test_a_whole_batch_is_stored_as_any_other_or_leaves_nothing(database_factory: DatabaseFactory):
    """Stored, the answer is that of a batch that is none; else nothing is, and only what would have been says so."""
    database = await database_factory("records")
    runs = count()

    async def compare(before: list[list[resources_pb2.Row]], rows: list[resources_pb2.Row]) -> None:
        run = next(runs)
        whole, single = run * 20, run * 20 + 10
        for number, one in enumerate(before):
            for offset in (whole, single):
                await apply(database, await batch_of(f"{offset}-{number}", one, offset=offset))
        there = await pupils(database, after=whole, until=whole + 9)
        (free,) = await apply(database, await batch_of(f"{single}", rows, offset=single))
        (answer,) = await apply(database, await batch_of(f"{whole}", rows, offset=whole, atomic=True))

        left = await pupils(database, after=whole, until=whole + 9)
        if not free_of_refusals(free):
            assert left == there
            assert ACCEPTED not in answer.states
            refused = {one.index for one in free.problems}
            assert {one.index for one in answer.problems if one.reason != "BATCH_REFUSED"} == refused
            stopped = {one.index for one in answer.problems if one.reason == "BATCH_REFUSED"}
            assert {index for index, state in enumerate(free.states) if state == ACCEPTED} <= stopped
            firsts = {one.metadata["first_index"] for one in answer.problems if one.reason == "BATCH_REFUSED"}
            assert firsts <= {str(min(refused))}
        else:
            assert answer == free
            shifted = await pupils(database, after=single, until=single + 9)
            assert [row[1:] for row in left] == [row[1:] for row in shifted]

    @settings(max_examples=50)
    @given(BATCHES, st.lists(ROWS, min_size=1, max_size=6))
    def examples(before: list[list[resources_pb2.Row]], rows: list[resources_pb2.Row]) -> None:
        asyncio.run_coroutine_threadsafe(compare(before, rows), loop).result(30)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(examples)


def free_of_refusals(answer: records_pb2.ApplyRowsResponse) -> bool:
    """Whether nothing was refused or held; late rows and repeats are neither."""
    return not answer.problems


async def test_whole_batches_beside_other_writers_are_there_whole_or_not_at_all(database_factory: DatabaseFactory):
    """Ten writers at once on the same records; a reader never sees a part of a whole batch."""
    database = await database_factory("records")
    taking = applying(database, Clock())
    keys, chance = [f"k{number}" for number in range(5)], random.Random(7)
    parts: list[set[str]] = []
    done = asyncio.Event()

    async def write(number: int) -> None:
        # A whole batch names itself in every row; sometimes another source's row spoils it.
        rows = [pupil(key, number, school="1", full_name=f"Lô {number}") for key in keys]
        rows += [pupil("foreign", number, school="1")] if number % 3 == 0 else []
        await asyncio.sleep(chance.random() / 20)
        answer = records_pb2.ApplyRowsResponse.FromString(
            await taking.ask(await batch_of(f"w{number}", rows, atomic=True))
        )
        assert {ACCEPTED, REJECTED} & set(answer.states) <= {REJECTED if number % 3 == 0 else ACCEPTED}
        one = pupil(f"alone{number % 4}", number, school="1", full_name="Một mình")
        await taking.ask(await batch_of(f"a{number}", [one]))

    async def look() -> None:
        query = sa.text("SELECT full_name FROM pupil WHERE key LIKE 'k%'")
        while not done.is_set():
            async with database.connection() as connection:
                parts.append(set(await connection.scalars(query)))

    await apply(database, await batch_of("foreign", [pupil("foreign", school="1")], source="smas"))
    looking = asyncio.create_task(look())
    try:
        await asyncio.gather(*(write(number) for number in range(1, 31)))
    finally:
        done.set()
        await looking

    assert all(len(part) <= 1 for part in parts)
    assert max(map(len, parts)) == 1
    assert parts[-1] <= {f"Lô {number}" for number in range(1, 31) if number % 3}
