"""Whole copies: as of one moment, resumed where they were cut, and brought up to date by the feed."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from iocedu.records.v1 import export_pb2, export_pb2_grpc, records_pb2, resources_pb2

from chassis.errors import Fault
from chassis.testing import client
from services.records.usecases import exporting
from tests.integration.records.closing import register, result
from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, SCHOOL_B, Running, gone, pupil

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


async def test_a_copy_and_the_changes_after_it_give_everything(records: Running, monkeypatch: pytest.MonkeyPatch):
    """Whatever is written while it is made stands in it as it was, and in the feed after it."""
    monkeypatch.setattr(exporting, "PAGE", 3)
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
    ((held_by,),) = await records.rows("SELECT school_id FROM pupil")
    school_id = cast("int", held_by)
    exports = exporting.Exports(records.database)
    async with contextlib.AsyncExitStack() as held:
        for _ in range(exporting.MOST_AT_ONCE):
            await anext(await held.enter_async_context(contextlib.aclosing(exports.copy([school_id], (), after=None))))
        with pytest.raises(Fault) as refused:
            await anext(exports.copy([school_id], (), after=None))
        assert refused.value.reason == "EXPORTS_BUSY"
        assert refused.value.retry_after is not None
    assert len([page async for page in exports.copy([school_id], (), after=None)]) == 3, "two types, and the end"
    slow = exporting.Exports(records.database, most_seconds=0)
    with pytest.raises(Fault) as late:
        await anext(slow.copy([school_id], (), after=None))
    assert late.value.reason == "EXPORT_TOO_SLOW"
