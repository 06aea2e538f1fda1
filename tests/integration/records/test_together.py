"""Requests that share a transaction: to each it is as if it had come alone."""

import asyncio
from collections.abc import Sequence

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault
from services.records.convert.incoming import read_batch
from services.records.domain import problems
from services.records.usecases.apply import apply_rows, applying
from tests.integration.records.scenes import gone, pupil
from tests.support.databases import DatabaseFactory

SCHOOLS = ["1", "2", "3"]


def request(number: int, rows: Sequence[resources_pb2.Row]) -> records_pb2.ApplyRowsRequest:
    """A request of one source, with an id of its own."""
    return records_pb2.ApplyRowsRequest(request_id=f"r{number}", source="vnedu", rows=rows)


async def apply(
    database: Database, requests: Sequence[records_pb2.ApplyRowsRequest], *, offset: int, together: bool
) -> list[records_pb2.ApplyRowsResponse]:
    """Apply requests to schools `offset` + 1 … 3, in one transaction or in one each."""
    batches = []
    for number, one in enumerate(requests):
        batch = await read_batch(one, school=lambda school: offset + int(school))
        batch.request_id = f"{offset}-{number}"
        batches.append(batch)
    answers = []
    for group in [batches] if together else [[batch] for batch in batches]:
        async with database.transaction() as connection:
            answers += await apply_rows(connection, group, now=Clock().now())
    return [records_pb2.ApplyRowsResponse.FromString(answer) for answer in answers]


async def held(database: Database, offset: int) -> list[tuple[object, ...]]:
    """What is stored of schools `offset` + 1 … 3, without what is the transaction's own."""
    query = (
        f"SELECT school_id - {offset}, key, version, change_version, full_name, deleted FROM pupil"
        f" WHERE school_id BETWEEN {offset + 1} AND {offset + 3} ORDER BY 1, 2"
    )
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(query)]


def row(school: str, key: str, version: int, name: str, dead: bool, previous: str) -> resources_pb2.Row:  # noqa: FBT001
    """A row with a pupil or the end of one, some under a new key."""
    made = gone(key, version, school=school) if dead else pupil(key, version, school=school, full_name=name)
    made.previous_key = previous
    return made


async def history(database: Database, offset: int) -> list[tuple[object, ...]]:
    """What was replaced in schools `offset` + 1 … 3, in order, and which batches brought what; without times."""
    query = (
        f"SELECT school_id - {offset}, key, version, deleted, image, substr(request_id, {len(str(offset)) + 1}) FROM"
        " (SELECT school_id, key, history_id, version, deleted, image, request_id FROM record_history UNION ALL"
        " SELECT school_id, key, 9e18, change_version, deleted, NULL, request_id FROM pupil) AS state"
        f" WHERE school_id BETWEEN {offset + 1} AND {offset + 3} ORDER BY school_id, key, history_id"
    )
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(query)]


ROWS = st.builds(
    row,
    st.sampled_from(SCHOOLS),
    st.sampled_from("abc"),
    st.integers(1, 4),
    st.sampled_from(["Lê An", "Trần Bình"]),
    st.booleans(),
    st.sampled_from(["", "", "", "a", "b"]),
)


async def test_together_or_one_after_the_other_ends_the_same(database_factory: DatabaseFactory):
    """Whatever the requests hold, the same rows of the same school in each of them included."""
    database = await database_factory("records")
    runs = iter(range(100_000))

    async def compare(contents: list[list[resources_pb2.Row]]) -> None:
        requests = [request(number, rows) for number, rows in enumerate(contents)]
        alone, together = (next(runs) * 10 for _ in range(2))
        one_by_one = await apply(database, requests, offset=alone, together=False)
        at_once = await apply(database, requests, offset=together, together=True)

        assert at_once == one_by_one
        assert await held(database, together) == await held(database, alone)
        assert await history(database, together) == await history(database, alone)

    @settings(max_examples=40)
    @given(st.lists(st.lists(ROWS, min_size=1, max_size=6), min_size=1, max_size=5))
    def examples(contents: list[list[resources_pb2.Row]]) -> None:
        asyncio.run_coroutine_threadsafe(compare(contents), loop).result(30)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(examples)


async def test_each_request_is_answered_and_published_for_itself(database_factory: DatabaseFactory):
    """Those that come while another is under way share its successor's transaction; events keep their own traces."""
    database = await database_factory("records")
    taking = applying(database, Clock())
    traces = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 21)]

    async def ask(number: int) -> records_pb2.ApplyRowsResponse:
        rows = [pupil(str(number), school=SCHOOLS[number % 3])]
        batch = await read_batch(request(number, rows), school=int, trace=traces[number])
        return records_pb2.ApplyRowsResponse.FromString(await taking.ask(batch))

    answers = await asyncio.gather(*map(ask, range(20)))

    assert {tuple(answer.states) for answer in answers} == {(resources_pb2.ROW_STATE_ACCEPTED,)}
    async with database.connection() as connection:
        query = "SELECT substr(headers->>'traceparent', 4, 32) FROM outbox"
        published = list(await connection.scalars(sa.text(query)))
        transactions = await connection.scalar(sa.text("SELECT count(DISTINCT xmin::text) FROM outbox"))
    assert sorted(published) == [trace[3:35] for trace in traces]
    assert transactions is not None
    assert transactions < len(answers)


async def test_a_request_id_that_came_with_other_rows_fails_alone(database_factory: DatabaseFactory):
    """Its neighbours in the transaction are stored and answered."""
    database = await database_factory("records")
    taking = applying(database, Clock())
    first = await read_batch(request(0, [pupil("0", school="1")]), school=int)
    await taking.ask(first)
    contents = [[pupil(str(number), school="2")] for number in range(12)]
    batches = [await read_batch(request(number, rows), school=int) for number, rows in enumerate(contents)]

    answers = await asyncio.gather(*map(taking.ask, batches), return_exceptions=True)

    assert [number for number, answer in enumerate(answers) if isinstance(answer, BaseException)] == [0]
    assert isinstance(answers[0], Fault)
    assert answers[0].reason == "REQUEST_ID_REUSED"
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM pupil")) == 12


async def test_a_request_that_comes_twice_at_once_is_answered_once_though_no_school_tells_it_apart(
    database_factory: DatabaseFactory,
):
    """Rows of no known school lock nothing; the two are still one request."""
    database = await database_factory("records")
    unknown = problems.unknown_unit("moet:?")
    batches = [await read_batch(request(7, [pupil("1", school="?")]), school=lambda _: unknown) for _ in range(2)]

    async with database.transaction() as connection:
        together = await apply_rows(connection, batches, now=Clock().now())

    async def alone() -> list[bytes]:
        batch = await read_batch(request(8, [pupil("1", school="?")]), school=lambda _: unknown)
        async with database.transaction() as connection:
            return await apply_rows(connection, [batch], now=Clock().now())

    side_by_side = await asyncio.gather(*(alone() for _ in range(6)))

    assert together[0] == together[1]
    assert len({answer for (answer,) in side_by_side}) == 1


async def test_a_batch_that_is_tried_again_begins_without_what_was_found_before(database_factory: DatabaseFactory):
    """What was wrong with a row when the group failed need not be wrong any more."""
    database = await database_factory("records")
    for source, number in (("smas", 0), ("vnedu", 1)):
        batch = await read_batch(request(number, [pupil("1", school="1")]), school=int)
        batch.source = source
        async with database.transaction() as connection:
            (answer,) = await apply_rows(connection, [batch], now=Clock().now())
        assert batch.problems == {}

    (refused,) = records_pb2.ApplyRowsResponse.FromString(answer).problems
    assert refused.reason == "OTHER_SOURCE"
