"""Imports as jobs: what seems wrong waits for a person, what runs can be stopped, what is lost is gone on with."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

import openpyxl
import pytest
from iocedu.sync.v1 import imports_pb2

from chassis.errors import Fault, Kind
from services.sync.usecases.imports import carrying
from tests.integration.sync.files import (
    ENDED,
    HEADINGS,
    class_of,
    desk,
    held_by,
    indexed,
    parts,
    pupil_line,
    pupils,
    rested,
    saved,
    send,
    workbook,
)
from tests.integration.sync.withholding import grant
from tests.integration.sync.world import (
    CLERK,
    COMMUNE,
    HEAD,
    OFFICER,
    PROVINCE,
    SCHOOL_A,
    VENDOR,
    World,
    granted,
    pupil,
    push,
)
from tests.support.waiting import poll_until

AWAITING = imports_pb2.IMPORT_STATE_AWAITING_CONFIRMATION


def named(one: imports_pb2.Import) -> dict[str, Any]:
    """How an import is asked for."""
    return {"unit": SCHOOL_A, "import_id": one.import_id}


async def loaded(here: World, count: int) -> None:
    """The pupils of `pupils(count)`, held under the source of files."""
    rows = [pupil(f"HS{number:03d}.2026", full_name=line[2]) for number, line in enumerate(pupils(count)[1:], 1)]
    await (await here.sync()).PushRows(push("before", *rows, source="file"))
    await indexed(here, count)


def held_up(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Imports stop before each slice: set once one has, and to be set for all to go on."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    push_slice = carrying.push_slice

    async def waits(*args: Any, **kwargs: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await push_slice(*args, **kwargs)

    monkeypatch.setattr(carrying, "push_slice", waits)
    return begun, go_on


async def test_names_one_row_off_wait_for_a_person_who_rejects_them(here: World) -> None:
    """Nothing is stored meanwhile, nor afterwards."""
    await loaded(here, 10)
    names = [line[2] for line in pupils(10)[1:]]
    shifted = [pupil_line(number, name=names[number % 10]) for number in range(1, 11)]
    one = await send(here, workbook(("6A", [pupils(0)[0], *shifted])))

    assert one.state == AWAITING
    assert [it.kind for it in one.suspicions] == [imports_pb2.SUSPICION_KIND_SHIFTED_ROWS]
    assert "lệch một dòng" in one.suspicions[0].message
    stub = await desk(here)
    with pytest.raises(Fault) as unsaid:
        await stub.CancelImport(imports_pb2.CancelImportRequest(**named(one), decision_reason="  "))
    assert (unsaid.value.reason, [it.field for it in unsaid.value.violations]) == ("INVALID_FIELD", ["decision_reason"])
    rejection = imports_pb2.CancelImportRequest(**named(one), decision_reason=" Dán lệch một dòng ")
    gone = held_by(await stub.CancelImport(rejection))
    assert (gone.state, gone.decided_by) == (imports_pb2.IMPORT_STATE_CANCELLED, CLERK)
    assert (gone.decision_reason, gone.decide_time.ToDatetime(UTC)) == ("Dán lệch một dòng", here.clock.now())
    with pytest.raises(Fault) as refused:
        await stub.ConfirmImport(imports_pb2.ConfirmImportRequest(**named(one)))
    assert refused.value.reason == "WRONG_STATE"
    assert (await here.record("HS001.2026")).row.pupil.full_name == names[0]


async def test_a_complete_file_that_lacks_much_is_carried_out_once_confirmed(here: World) -> None:
    """By an officer above, who says why; then what it lacks is gone, and what it holds is there."""
    await loaded(here, 10)
    one = await send(here, workbook(("6A", pupils(4))), collection="pupils", complete=True)
    assert [it.kind for it in one.suspicions] == [imports_pb2.SUSPICION_KIND_MASS_DISAPPEARANCE]
    assert (await here.record("HS010.2026")).row.key == "HS010.2026"
    await granted(here, "can-bo-xa", "officer", COMMUNE)
    await poll_until(lambda: here.scopes.tree.grants_of("can-bo-xa", here.clock.today()))
    stub = await desk(here, "can-bo-xa")
    await stub.ConfirmImport(imports_pb2.ConfirmImportRequest(**named(one), decision_reason="Đã chuyển trường"))
    one = await rested(here, one.import_id, among=ENDED)

    assert one.state == imports_pb2.IMPORT_STATE_SUCCEEDED, one
    assert (one.decided_by, one.decision_reason) == ("can-bo-xa", "Đã chuyển trường")
    assert (one.row_count, one.done_count, one.accepted_count) == (4, 4, 4), "deletions are none of its rows"
    assert [(it.count, it.lacking) for it in one.deletions] == [(6, True)]
    with pytest.raises(Fault) as refused:
        await here.record("HS010.2026")
    assert refused.value.reason == "UNKNOWN_RECORD"
    assert (await here.record("HS004.2026")).row.pupil.full_name


async def test_classes_that_the_centre_does_not_hold_are_named_and_no_row_is_refused_for_them(here: World) -> None:
    """They may follow; once they are held there is nothing to say."""
    one = await send(here, workbook(("6A", pupils(2))))
    assert (one.accepted_count, [list(it.unknown_classes) for it in one.sheets]) == (2, [["6A"]]), one
    await (await here.sync()).PushRows(push("class", class_of("6A.2026")))
    again = await send(here, workbook(("6A", pupils(3))))
    assert (again.accepted_count, [list(it.unknown_classes) for it in again.sheets]) == (1, [[]]), again


async def test_who_sends_data_does_not_confirm_that_much_of_it_is_gone(here: World) -> None:
    """The school does. What else seems wrong, such as rows that were shifted, the sender confirms."""
    await loaded(here, 10)
    vendor, names = await desk(here, VENDOR), [line[2] for line in pupils(10)[1:]]
    shifted = [pupil_line(number, name=names[number % 10]) for number in range(1, 11)]
    one = await send(here, workbook(("6A", [pupils(0)[0], *shifted])), subject=VENDOR)
    assert [it.kind for it in one.suspicions] == [imports_pb2.SUSPICION_KIND_SHIFTED_ROWS]
    await vendor.ConfirmImport(imports_pb2.ConfirmImportRequest(**named(one)))
    one = await rested(here, one.import_id, among=ENDED)
    assert (one.state, one.decided_by) == (imports_pb2.IMPORT_STATE_SUCCEEDED, VENDOR), one

    lacking = await send(here, workbook(("6A", pupils(2))), subject=VENDOR, collection="pupils", complete=True)
    assert [it.kind for it in lacking.suspicions] == [imports_pb2.SUSPICION_KIND_MASS_DISAPPEARANCE]
    with pytest.raises(Fault) as refused:
        await vendor.ConfirmImport(imports_pb2.ConfirmImportRequest(**named(lacking)))
    assert (refused.value.kind, refused.value.reason) == (Kind.DENIED, "NO_GRANT")
    assert "hiệu trưởng" in refused.value.vi
    lacking = await rested(here, lacking.import_id)
    assert (lacking.state, lacking.decided_by) == (AWAITING, "")
    assert await here.count("pupil", of="records") == 10
    await (await desk(here)).ConfirmImport(imports_pb2.ConfirmImportRequest(**named(lacking)))
    lacking = await rested(here, lacking.import_id, among=ENDED)
    assert (lacking.state, lacking.decided_by) == (imports_pb2.IMPORT_STATE_SUCCEEDED, CLERK), lacking
    assert [(told.count, told.lacking) for told in lacking.deletions] == [(8, True)]


UNREADABLE_KEYS = [{"Mã học sinh": ""}, {"Mã học sinh": '="HS005"'}, {"NAM_HOC": "2025"}, {"NAM_HOC": "=2026"}]


async def test_what_was_confirmed_is_asked_again_where_more_would_disappear_by_now(here: World) -> None:
    """A person said so of what was shown; what came since was not."""
    await loaded(here, 10)
    one = await send(here, workbook(("6A", pupils(4))), collection="pupils", complete=True)
    await (await here.sync()).PushRows(push("since", *(pupil(f"HS{n:03d}.2026") for n in range(11, 16)), source="file"))
    stub = await desk(here)
    await stub.ConfirmImport(imports_pb2.ConfirmImportRequest(**named(one)))

    async def asked_again() -> bool:
        found = held_by(await stub.GetImport(imports_pb2.GetImportRequest(**named(one))))
        return found.state == AWAITING and "thiếu 11 trong 15" in found.suspicions[0].message

    await poll_until(asked_again)
    assert (await here.record("HS015.2026")).row.key == "HS015.2026"
    await stub.ConfirmImport(imports_pb2.ConfirmImportRequest(**named(one)))
    one = await rested(here, one.import_id, among=ENDED)
    assert (one.state, one.decided_by) == (imports_pb2.IMPORT_STATE_SUCCEEDED, CLERK), one
    assert [it.count for it in one.deletions] == [11]


@pytest.mark.parametrize(("complete", "later"), [(True, True), (True, False), (False, True)])
async def test_a_file_that_waited_is_not_carried_over_a_later_one_where_one_of_both_is_complete(
    here: World, *, complete: bool, later: bool
) -> None:
    """It would delete and overwrite what is newer: the file sent last counts."""
    await loaded(here, 10)
    names = [line[2] for line in pupils(10)[1:]]
    shifted = [HEADINGS, *(pupil_line(number, name=names[number % 10]) for number in range(1, 5 if complete else 11))]
    old = await send(here, workbook(("6A", shifted)), collection="pupils", complete=complete)
    assert old.state == AWAITING, old
    more = [HEADINGS, *(pupil_line(number) for number in range(1, 15))]
    new = await send(here, workbook(("6A", more)), collection="pupils", complete=later)
    assert new.state == imports_pb2.IMPORT_STATE_SUCCEEDED, new
    await (await desk(here)).ConfirmImport(imports_pb2.ConfirmImportRequest(**named(old)))
    old = await rested(here, old.import_id, among=ENDED)

    assert (old.state, old.error_reason) == (imports_pb2.IMPORT_STATE_FAILED, "OVERTAKEN"), old
    assert f"Lượt nạp số {new.import_id} " in old.error_message
    assert (old.done_count, list(old.deletions)) == (0, [])
    assert (await here.record("HS014.2026")).row.key == "HS014.2026"
    assert (await here.record("HS001.2026")).row.pupil.full_name == names[0]


async def test_rows_of_a_file_that_waited_are_older_than_what_a_later_one_says(here: World) -> None:
    """Also where that one only said once more what was held; what it does not say is stored."""
    await loaded(here, 10)
    await send(here, workbook(("6A", pupils(10))))
    names = [line[2] for line in pupils(10)[1:]]
    shifted = [HEADINGS, *(pupil_line(number, name=names[number % 10]) for number in range(1, 11))]
    old = await send(here, workbook(("6A", shifted)))
    assert old.state == AWAITING, old
    lines = [HEADINGS, pupil_line(1), pupil_line(2, **{"Ngày sinh": "15/04/2014"}), pupil_line(11)]
    new = await send(here, workbook(("6A", lines)))
    assert (new.state, new.accepted_count, new.unchanged_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 2, 1), new
    await (await desk(here)).ConfirmImport(imports_pb2.ConfirmImportRequest(**named(old)))
    old = await rested(here, old.import_id, among=ENDED)

    assert (old.state, old.stale_count, old.accepted_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 2, 8), old
    held = [(await here.record(f"HS{number:03d}.2026")).row.pupil for number in range(1, 4)]
    assert [one.full_name for one in held] == [names[0], names[1], names[3]]
    assert held[1].birth_date == "2014-04-15"


async def test_what_a_file_lacks_stays_where_a_later_one_was_carried_meanwhile(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs may be on two files; before anything is deleted it is asked once more what came after."""
    await loaded(here, 10)
    push_slice = carrying.push_slice

    async def overtaken(*args: Any, **kwargs: Any) -> Any:
        sheets = json.dumps([{"name": "6A", "collection": "pupils"}])
        async with here.sync_database.transaction() as writes:
            await writes.exec_driver_sql(
                "INSERT INTO import (unit_id, subject, source, file_name, school_year, collection, stage, complete,"
                " backfill, request_id, size, digest, state, sheets, create_time, update_time)"
                " SELECT unit_id, subject, source, 'sau.xlsx', school_year, collection, stage, complete, backfill,"
                f" 'later', size, digest, 4, '{sheets}', create_time, update_time FROM import"
            )
        return await push_slice(*args, **kwargs)

    monkeypatch.setattr(carrying, "push_slice", overtaken)
    one = await send(here, workbook(("6A", pupils(9))), collection="pupils", complete=True)
    assert (one.state, one.error_reason) == (imports_pb2.IMPORT_STATE_FAILED, "OVERTAKEN"), one
    assert "“sau.xlsx”" in one.error_message
    assert (await here.record("HS010.2026")).row.key == "HS010.2026"


async def test_files_of_a_unit_and_source_are_taken_in_the_order_they_were_sent(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many runs there are; another source's wait for none of them."""
    begun, go_on = held_up(monkeypatch)
    stub = await desk(here)
    held_by(await stub.CreateImport(parts(workbook(("6A", pupils(2))))))
    await asyncio.wait_for(begun.wait(), 30)
    second = held_by(await stub.CreateImport(parts(workbook(("6A", pupils(3))))))

    other = held_by(await stub.CreateImport(parts(workbook(("6A", pupils(4))), source="vnedu")))
    await rested(here, other.import_id, among={imports_pb2.IMPORT_STATE_RUNNING})
    waiting = held_by(await stub.GetImport(imports_pb2.GetImportRequest(**named(second))))
    assert waiting.state == imports_pb2.IMPORT_STATE_QUEUED
    go_on.set()
    assert (await rested(here, second.import_id)).state == imports_pb2.IMPORT_STATE_SUCCEEDED


@pytest.mark.parametrize("cell", UNREADABLE_KEYS, ids=lambda cell: "=".join(next(iter(cell.items()))))
async def test_a_complete_file_of_whose_rows_one_does_not_say_its_record_deletes_nothing(
    here: World, cell: dict[str, str]
) -> None:
    """The pupil of that row may be any that the file lacks: it is told how many such rows there are, and all stay."""
    await loaded(here, 10)
    ((name, value),) = cell.items()
    lines = [list(line) for line in pupils(9)]
    if name in HEADINGS:
        lines[5][HEADINGS.index(name)] = value
    else:
        lines = [[*line, name if line is lines[0] else value if line is lines[5] else ""] for line in lines]
    one = await send(here, workbook(("6A", lines)), collection="pupils", complete=True)

    assert (one.state, one.rejected_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 1), one
    assert ([sheet.unsure_count for sheet in one.sheets], list(one.deletions)) == ([1], [])
    assert [(await here.record(f"HS{number:03d}.2026")).row.deleted for number in range(1, 11)] == [False] * 10


async def test_a_row_that_is_refused_but_says_its_record_keeps_no_other_from_going(here: World) -> None:
    """It stays itself, and what the file lacks is gone."""
    await loaded(here, 10)
    lines = pupils(9, HS005=pupil_line(5, Khối="99"))
    one = await send(here, workbook(("6A", lines)), collection="pupils", complete=True)

    assert (one.state, one.rejected_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 1), one
    assert ([sheet.unsure_count for sheet in one.sheets], [it.count for it in one.deletions]) == ([0], [1])
    assert (await here.record("HS005.2026")).row.key == "HS005.2026"


async def test_a_complete_file_with_a_sheet_that_cannot_be_read_waits_for_a_person(here: World) -> None:
    """What it lacks, however little, may stand there. Empty sheets and sheets of codes hold nobody."""
    await loaded(here, 12)
    headed, bare = pupils(10), [pupil_line(11), pupil_line(12)]
    book = workbook(("6A", headed), ("6B", bare), ("Trang3", []), ("Danh mục", [["01", "Đang học"]]))
    one = await send(here, book, collection="pupils", complete=True)
    assert (one.state, [it.kind for it in one.suspicions]) == (
        AWAITING,
        [imports_pb2.SUSPICION_KIND_UNREAD_SHEETS],
    ), one
    assert "không đọc được trang “6B”. 2 học sinh" in one.suspicions[0].message
    assert list(one.suspicions[0].examples) == ["HS011.2026", "HS012.2026"]
    assert (await here.record("HS012.2026")).row.key == "HS012.2026"

    await (await desk(here)).ConfirmImport(imports_pb2.ConfirmImportRequest(**named(one)))
    one = await rested(here, one.import_id, among=ENDED)
    assert (one.state, [it.count for it in one.deletions]) == (imports_pb2.IMPORT_STATE_SUCCEEDED, [2]), one


async def test_a_complete_file_with_a_hidden_sheet_waits_for_a_person(here: World) -> None:
    """The same workbook once more with one sheet hidden deletes nobody unasked; the sheet is named."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in (("6A", pupils(36)), ("6B", [HEADINGS, pupil_line(37), pupil_line(38)])):
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(list(line))
    one = await send(here, saved(book), collection="pupils", complete=True)
    assert (one.state, one.accepted_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 38), one
    book["6B"].sheet_state = "hidden"
    one = await send(here, saved(book), collection="pupils", complete=True)
    assert (one.state, [it.kind for it in one.suspicions]) == (
        AWAITING,
        [imports_pb2.SUSPICION_KIND_UNREAD_SHEETS],
    ), one
    assert "trang “6B”. 2 học sinh" in one.suspicions[0].message
    assert [(sheet.name, sheet.left_out_reason) for sheet in one.sheets] == [("6A", ""), ("6B", "HIDDEN_SHEET")]
    assert "bỏ ẩn" in one.sheets[1].left_out_message


async def test_who_may_not_see_a_school_sees_none_of_its_imports(here: World) -> None:
    """Neither by its unit nor by another one."""
    one = await send(here, workbook(("6A", pupils(2))))
    stub = await desk(here, OFFICER)
    with pytest.raises(Fault) as refused:
        await stub.GetImport(imports_pb2.GetImportRequest(**named(one)))
    assert refused.value.reason == "NO_GRANT"
    with pytest.raises(Fault) as refused:
        await stub.GetImport(imports_pb2.GetImportRequest(unit="gso:20336", import_id=one.import_id))
    assert refused.value.reason == "UNKNOWN_IMPORT"


async def test_an_import_is_followed_until_its_end(here: World) -> None:
    """Each change once; then the stream says that it is complete."""
    stub = await desk(here)
    one = held_by(await stub.CreateImport(parts(workbook(("6A", pupils(3))))))
    events = [event async for event in stub.WatchImport(imports_pb2.WatchImportRequest(**named(one)))]
    assert events[-1].WhichOneof("event") == "end"
    items = [event.item for event in events if event.WhichOneof("event") == "item"]
    assert items[-1].state == imports_pb2.IMPORT_STATE_SUCCEEDED
    assert [item.done_count for item in items] == sorted(item.done_count for item in items)


async def test_a_right_that_is_taken_back_ends_what_waits(here: World) -> None:
    """The import outlives the token, not the right: it is asked for again when it goes on."""
    await loaded(here, 10)
    one = await send(here, workbook(("6A", pupils(4))), collection="pupils", complete=True)
    assert one.state == AWAITING
    await here.revoke(CLERK)
    async with here.sync_database.transaction() as writes:
        await writes.exec_driver_sql(f"UPDATE import SET state = 3 WHERE import_id = {one.import_id}")

    async def ended() -> Any:
        async with here.sync_database.connection() as reads:
            found = await reads.exec_driver_sql(f"SELECT state, error FROM import WHERE import_id = {one.import_id}")
            row = found.one()
            return row if row.state in {4, 5, 6} else None

    row = await poll_until(ended)
    assert (row.state, row.error["reason"]) == (5, "NO_GRANT")
    assert (await here.record("HS010.2026")).row.key == "HS010.2026"


async def test_a_right_that_is_taken_back_between_two_slices_ends_what_runs(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stored by then stays and is counted; nothing follows."""
    push_slice = carrying.push_slice

    async def revoked_meanwhile(*args: Any, **kwargs: Any) -> Any:
        outcome = await push_slice(*args, **kwargs)
        if here.scopes.tree.grants_of(CLERK, here.clock.today()):
            await here.revoke(CLERK)
        return outcome

    monkeypatch.setattr(carrying, "SLICE_ROWS", 5)
    monkeypatch.setattr(carrying, "push_slice", revoked_meanwhile)
    one = held_by(await (await desk(here)).CreateImport(parts(workbook(("6A", pupils(12))))))
    await poll_until(lambda: ended(here, one.import_id), 40.0)
    one = held_by(await (await desk(here, HEAD)).GetImport(imports_pb2.GetImportRequest(**named(one))))

    assert (one.state, one.error_reason, one.accepted_count) == (imports_pb2.IMPORT_STATE_FAILED, "NO_GRANT", 5), one
    assert await here.count("pupil", of="records") == 5


async def test_an_import_that_runs_is_stopped_between_two_slices(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored by then stays and is counted; nothing follows."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    push_slice = carrying.push_slice

    async def held_up(*args: Any, **kwargs: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await push_slice(*args, **kwargs)

    monkeypatch.setattr(carrying, "SLICE_ROWS", 5)
    monkeypatch.setattr(carrying, "push_slice", held_up)
    stub = await desk(here)
    one = held_by(await stub.CreateImport(parts(workbook(("6A", pupils(12))))))
    await asyncio.wait_for(begun.wait(), 30)
    asked = held_by(await stub.CancelImport(imports_pb2.CancelImportRequest(**named(one))))
    assert (asked.state, asked.cancel_requested) == (imports_pb2.IMPORT_STATE_RUNNING, True)
    go_on.set()
    one = await rested(here, one.import_id)

    assert (one.state, one.accepted_count) == (imports_pb2.IMPORT_STATE_CANCELLED, 5), one
    assert await here.count("pupil", of="records") == 5


async def test_a_record_that_stands_in_two_slices_is_as_the_later_row_says(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a slice is made while the one before is stored, it stands over what that one stores."""
    monkeypatch.setattr(carrying, "SLICE_ROWS", 2)
    lines = [*pupils(4), pupil_line(3, name="Lê Thị An"), pupil_line(4, name="Lê Thị Bình")]
    one = await send(here, workbook(("6A", lines)))
    assert (one.state, one.accepted_count, one.rejected_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 6, 0), one
    assert (await here.record("HS003.2026")).row.pupil.full_name == "Lê Thị An"
    assert (await here.record("HS004.2026")).row.pupil.full_name == "Lê Thị Bình"


async def test_a_slow_upload_holds_no_transaction(here: World) -> None:
    """Nothing of it is in the database before all of it came; then it is an import as any other."""
    *first, last = parts(workbook(("6A", pupils(12))), size=1_000)
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[imports_pb2.CreateImportRequest]:
        for part in first:
            yield part
        halfway.set()
        await go_on.wait()
        yield last

    upload = asyncio.ensure_future((await desk(here)).CreateImport(slowly()))
    await asyncio.wait_for(halfway.wait(), 30)
    async with here.sync_database.connection() as reads:
        open_ones = await reads.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'idle in transaction' AND query LIKE '%import%'"
        )
        assert open_ones.scalar_one() == 0
    go_on.set()
    one = await rested(here, held_by(await upload).import_id)
    assert (one.state, one.accepted_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 12)


async def test_a_run_that_lost_its_claim_does_no_more(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run goes on with the import; what both carried is there once and counted once."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    push_slice = carrying.push_slice

    async def held_up(*args: Any, **kwargs: Any) -> Any:
        outcome = await push_slice(*args, **kwargs)
        if not begun.is_set():
            begun.set()
            await go_on.wait()
        return outcome

    monkeypatch.setattr(carrying, "SLICE_ROWS", 5)
    monkeypatch.setattr(carrying, "push_slice", held_up)
    stub = await desk(here)
    one = held_by(await stub.CreateImport(parts(workbook(("6A", pupils(12, HS007=pupil_line(7, Khối="99")))))))
    await asyncio.wait_for(begun.wait(), 30)
    async with here.sync_database.transaction() as writes:
        await writes.exec_driver_sql("UPDATE import SET claim = NULL, claimed_until = NULL")
    one = await rested(here, one.import_id)
    go_on.set()

    assert (one.state, one.accepted_count + one.unchanged_count, one.rejected_count) == (4, 11, 1), one
    assert await here.count("batch") == 3
    assert await here.count("quarantined_row") == 1
    assert await here.count("pupil", of="records") == 11


async def test_a_file_goes_with_who_is_erased_at_once_or_when_its_import_ends(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the school and of units above; one that waits for a person, or runs, when it ends; quoted lines with it."""
    await loaded(here, 10)
    await (await here.sync()).PushRows(push("child", pupil("T1.2026", level="01", grade="18", birth_date="2021-05-04")))
    await send(here, workbook(("6A", pupils(2))))
    shifted = [pupil_line(number, name=pupils(10)[number % 10 + 1][2]) for number in range(1, 11)]
    waiting = await send(here, workbook(("6A", [pupils(0)[0], *shifted])))
    assert waiting.state == AWAITING
    assert waiting.suspicions[0].examples
    above = await desk(here, VENDOR)
    far = held_by(await above.CreateImport(parts(workbook(("6A", pupils(1))), unit=PROVINCE)))
    await poll_until(lambda: ended(here, far.import_id), 40.0)
    begun, go_on = held_up(monkeypatch)
    stub = await desk(here)
    running = held_by(await stub.CreateImport(parts(workbook(("6A", pupils(3))))))
    await asyncio.wait_for(begun.wait(), 30)

    await grant(here, "T1.2026")

    assert await files(here) == {waiting.import_id, running.import_id}
    go_on.set()
    assert (await rested(here, running.import_id)).state == imports_pb2.IMPORT_STATE_SUCCEEDED
    await stub.CancelImport(imports_pb2.CancelImportRequest(**named(waiting), decision_reason="Tệp cũ"))
    assert await files(here) == set()
    shown = held_by(await stub.GetImport(imports_pb2.GetImportRequest(**named(waiting))))
    assert [(it.kind, list(it.examples)) for it in shown.suspicions] == [(waiting.suspicions[0].kind, [])]


async def ended(here: World, import_id: int) -> bool:
    """Whether an import has ended."""
    async with here.sync_database.connection() as reads:
        found = await reads.exec_driver_sql(f"SELECT end_time IS NOT NULL FROM import WHERE import_id = {import_id}")
        return bool(found.scalar_one())


async def files(here: World) -> set[int]:
    """The imports whose files are kept."""
    async with here.sync_database.connection() as reads:
        return set((await reads.exec_driver_sql("SELECT import_id FROM import_part")).scalars())
