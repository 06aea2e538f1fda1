"""Whole copies: as of one moment, resumed where they were cut, and brought up to date by the feed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from iocedu.records.v1 import export_pb2, export_pb2_grpc, records_pb2, resources_pb2, school_life_pb2

from chassis.database import gone as gone_away
from chassis.errors import Fault
from chassis.testing import client
from services.records.domain.objects import KEY
from services.records.usecases import exporting
from tests.integration.records.closing import register, result
from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, SCHOOL_B, Running, gone, pupil
from tests.support.waiting import poll_until

Found = list[tuple[str, str]]  # school and key of records


async def stream(records: Running, unit: str = PROVINCE, **fields: Any) -> AsyncGenerator[Any]:
    """What the service sends, as the administrator asks."""
    channel = await records.stack.enter_async_context(client(records.address, records.keys.mint("admin@so")))
    stub = export_pb2_grpc.ExportServiceStub(channel)
    async for response in stub.ExportRecords(export_pb2.ExportRecordsRequest(unit=unit, **fields), timeout=60):
        yield response


async def copy(records: Running, unit: str = PROVINCE, **fields: Any) -> tuple[Found, int]:
    """A whole copy: its records, and the position to follow changes after."""
    found: Found = []
    async for response in stream(records, unit, **fields):
        match response.WhichOneof("event"):
            case "item":
                found.append((response.item.row.school, response.item.row.key))
            case "end":
                return found, int(response.end.position)
            case "error":
                raise AssertionError(response.error)
    raise AssertionError("cut")


async def test_a_copy_holds_what_is_there_school_by_school_and_nothing_else(records: Running):
    """Of the unit and the types asked for, masked, without what is gone, and written down."""
    await records.apply(pupil("b", school=SCHOOL_B), pupil("1", personal_id="049214000123"), pupil("2"), gone("3", 1))
    await records.apply(result("r"), register("d", day="2026-10-05"))
    await records.settled()
    assert (await copy(records))[0] == [
        (SCHOOL_A, "1"), (SCHOOL_A, "2"), (SCHOOL_A, "d"), (SCHOOL_A, "r"), (SCHOOL_B, "b")
    ]  # fmt: skip
    assert (await copy(records, SCHOOL_B))[0] == [(SCHOOL_B, "b")]
    types = [resources_pb2.OBJECT_TYPE_RESULT]
    assert (await copy(records, COMMUNE, types=types))[0] == [(SCHOOL_A, "r")]
    shown = [one.item async for one in stream(records, SCHOOL_A) if one.WhichOneof("event") == "item"]
    assert {one.masked for one in shown} == {True}
    assert shown[0].row.pupil.personal_id == "•••••••••123"
    log = await records.rows("SELECT DISTINCT method, collection FROM access_log ORDER BY 2")
    assert log == [("ExportRecords", name) for name in ("attendance", "pupils", "results")]


async def test_a_copy_in_pages_holds_the_same_records_and_is_resumed_behind_any_page(records: Running):
    """A page holds as many as asked for, of several types and schools, and says where to go on after it."""
    await records.apply(*(pupil(f"{number}") for number in range(3)), pupil("b", school=SCHOOL_B), result("r"))
    candidate = school_life_pb2.ExamCandidate(school_year=2026, full_name="Lê An")
    await records.apply(resources_pb2.Row(school=SCHOOL_B, key="c", version=1, exam_candidate=candidate))
    await records.settled()
    items = [one.item async for one in stream(records) if one.WhichOneof("event") == "item"]
    log = await records.rows("SELECT collection, record_count FROM access_log ORDER BY 1, 2")
    assert log == [("exam-candidates", 1), ("pupils", 1), ("pupils", 3), ("results", 1)], "each school by itself"
    for size in (1, 2, 4, 100_000):
        pages = [one.page async for one in stream(records, page_size=size) if one.WhichOneof("event") == "page"]
        assert [record for page in pages for record in page.records] == items
        assert max(len(page.records) for page in pages) == min(size, len(items))
        had = 0
        for page in pages:
            had += len(page.records)
            rest = stream(records, page_size=size, after=page.position)
            later = [record async for one in rest for record in one.page.records]
            assert later == items[had:]


async def test_a_page_ends_where_a_message_is_full(records: Running, monkeypatch: pytest.MonkeyPatch):
    """However large the records, they go through, and nothing is left out."""
    monkeypatch.setattr("services.records.servicer.export.MOST_MESSAGE_BYTES", 200)
    await records.apply(*(pupil(str(number)) for number in range(9)))
    pages = [one.page async for one in stream(records, page_size=9) if one.WhichOneof("event") == "page"]
    assert len(pages) > 1
    assert [one.row.key for page in pages for one in page.records] == [str(number) for number in range(9)]


async def test_a_copy_and_the_changes_after_it_give_everything(records: Running, monkeypatch: pytest.MonkeyPatch):
    """Whatever is written while it is made stands in it as it was, and in the feed after it."""
    monkeypatch.setattr(exporting, "PAGE", 3)
    monkeypatch.setattr("services.records.servicer.export.PORTION", 3)
    await records.apply(*(pupil(f"{number:02}") for number in range(12)))
    await records.settled()
    seen: dict[str, int] = {}
    position = -1
    async with contextlib.aclosing(stream(records)) as copied:
        async for response in copied:
            if response.WhichOneof("event") == "item":
                seen[response.item.row.key] = response.item.row.version
                if len(seen) == 1:
                    changed = (pupil(f"{number:02}", 2, full_name="Lê An") for number in range(6, 12))
                    await records.apply(*changed, pupil("99"), gone("05", 2))
            elif response.WhichOneof("event") == "end":
                position = int(response.end.position)
    assert seen == {f"{number:02}": 1 for number in range(12)}, "as of the first moment"
    await records.settled()
    for change in await records.changes(after=position):
        seen[change.row.key] = 0 if change.row.deleted else change.row.version
    held = await records.rows("SELECT key, CASE WHEN deleted THEN 0 ELSE version END FROM pupil ORDER BY key")
    assert sorted(seen.items()) == held


async def test_a_cut_copy_goes_on_behind_the_last_record(records: Running, monkeypatch: pytest.MonkeyPatch):
    """And ends with the position of its first moment, since what it adds is of a later one."""
    monkeypatch.setattr(exporting, "PAGE", 2)
    monkeypatch.setattr("services.records.servicer.export.PORTION", 3)
    await records.apply(*(pupil(f"{number}") for number in range(5)), pupil("a.b", school=SCHOOL_B), result("r"))
    await records.settled()
    whole, first = await copy(records)
    for cut in range(len(whole)):
        had, at, count = [], "", 0
        async with contextlib.aclosing(stream(records)) as copied:
            async for response in copied:
                if response.WhichOneof("event") == "item":
                    had.append((response.item.row.school, response.item.row.key))
                    at = f"{first}.{response.item.school_id}.{type_of(response.item)}.{response.item.row.key}"
                    count += 1
                    if count > cut:
                        break
        rest, position = await copy(records, after=at)
        assert had + rest == whole
        assert position == first


def type_of(record: records_pb2.Record) -> int:
    """The number of a record's type."""
    return {"pupil": 4, "attendance_register": 5, "result": 6}[record.row.WhichOneof("record") or ""]


async def test_only_a_few_copies_run_at_once_and_none_for_long(records: Running):
    """Each holds a moment of the database; who is left out is told to come again, who is slow to resume."""
    await records.apply(pupil("1"), result("r"))
    exports = exporting.Exports(records.database)
    async with contextlib.AsyncExitStack() as held:
        for number in range(exporting.MOST_AT_ONCE):
            held_copy = await portions(records, exports, subject=f"reader-{number}", most=1)
            await anext(await held.enter_async_context(contextlib.aclosing(held_copy)))
        with pytest.raises(Fault) as refused:
            await anext(await portions(records, exports))
        assert refused.value.reason == "EXPORTS_BUSY"
        assert refused.value.retry_after is not None
    given = [portion async for _, portion in await portions(records, exports)]
    assert [len(portion) for portion in given] == [2, 0], "two types together, and the end"
    slow = exporting.Exports(records.database, most_seconds=0)
    with pytest.raises(Fault) as late:
        await anext(await portions(records, slow))
    assert late.value.reason == "EXPORT_TOO_SLOW"


async def test_a_reader_that_stalls_keeps_no_moment_of_the_database(records: Running):
    """Its copy is closed in time, and others have their turn; who goes on to read is told to resume."""
    await records.apply(*(pupil(f"{number}") for number in range(4)))
    exports = exporting.Exports(records.database, most_seconds=5.0)
    async with contextlib.AsyncExitStack() as held:
        stalled = [
            await held.enter_async_context(
                contextlib.aclosing(await portions(records, exports, subject=f"reader-{number}", most=1))
            )
            for number in range(exporting.MOST_AT_ONCE)
        ]
        for one in stalled:
            await anext(one)

        async def none_open() -> bool:
            idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            return await records.rows(f"{idle} AND state = 'idle in transaction'") == [(0,)]

        await poll_until(none_open, 20.0)
        assert [position async for position, _ in await portions(records, exports, subject="other")]
        for one in stalled:
            with pytest.raises(Fault) as late:
                async for _ in one:
                    pass
            assert late.value.reason == "EXPORT_TOO_SLOW"


async def test_a_caller_has_one_copy_at_a_time(records: Running, monkeypatch: pytest.MonkeyPatch):
    """The room that is left is somebody else's; whoever has ended may begin again at once."""
    await records.apply(pupil("1"), pupil("2"))
    monkeypatch.setattr(exporting, "GOODBYE_SECONDS", 0.0)
    exports = exporting.Exports(records.database)
    async with contextlib.aclosing(await portions(records, exports, most=1)) as mine:
        await anext(mine)
        with pytest.raises(Fault) as refused:
            await anext(await portions(records, exports))
        assert refused.value.reason == "EXPORTS_BUSY"
        assert [position async for position, _ in await portions(records, exports, subject="other")]
    assert [position async for position, _ in await portions(records, exports)]


async def test_no_portion_is_given_before_it_is_written_down_and_none_is_read_far_ahead(records: Running):
    """However slowly it is taken, at most the next one is made meanwhile, so that memory stays flat."""
    await records.apply(*(pupil(f"{number}") for number in range(8)))
    noted: list[str] = []

    async def note(portion: exporting.Portion) -> None:
        await asyncio.sleep(0)
        noted.extend(one[KEY] for page in portion for one in page.records)

    given: list[str] = []
    copied = await portions(records, exporting.Exports(records.database), note=note, most=2)
    async for _, portion in copied:
        given += [one[KEY] for page in portion for one in page.records]
        for _ in range(100):  # for whoever would read on meanwhile
            await asyncio.to_thread(int)
        assert noted[: len(given)] == given
        assert len(noted) <= len(given) + 2
    assert given == [f"{number}" for number in range(8)]


async def test_a_portion_that_cannot_be_written_down_is_not_given(records: Running):
    """Nobody sees what nobody can later say was seen."""
    await records.apply(pupil("1"))

    async def note(_portion: exporting.Portion) -> None:
        raise gone_away()

    with pytest.raises(Fault) as refused:
        await anext(await portions(records, exporting.Exports(records.database), note=note))
    assert refused.value.reason == "DATABASE_UNAVAILABLE"


async def nothing(_portion: exporting.Portion) -> None:
    """Write nothing down."""


async def portions(
    records: Running,
    exports: exporting.Exports,
    *,
    subject: str = "reader",
    note: exporting.Note = nothing,
    most: int = exporting.PORTION,
) -> AsyncGenerator[tuple[int, exporting.Portion]]:
    """A copy of the one school that has pupils, as the servicer takes it."""
    ((school_id,),) = await records.rows("SELECT DISTINCT school_id FROM pupil")
    return exports.copy([cast("int", school_id)], (), subject=subject, after=None, note=note, most=most)
