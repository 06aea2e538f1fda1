"""What records has erased goes from the quarantine and the stored answers, and does not come back there."""

from typing import Any

import pytest
from iocedu.records.v1 import unit_operations_pb2, unit_operations_pb2_grpc
from iocedu.sync.v1 import imports_pb2, sync_pb2

from chassis.testing import client
from services.sync.clients.records import Records
from services.sync.domain.erasing import mentions_of
from tests.integration.sync.files import desk, parts, pupil_line, pupils, rested, send, workbook
from tests.integration.sync.withholding import grant
from tests.integration.sync.world import (
    ADMINISTRATOR,
    COMMUNE,
    PROVINCE,
    REJECTED,
    SCHOOL_A,
    SCHOOL_B,
    VENDOR,
    World,
    document,
    moet_pupil,
    ndjson,
    pupil,
    push,
)
from tests.support.waiting import poll_until

CHILD: dict[str, Any] = {"level": "01", "grade": "18", "birth_date": "2021-05-04"}


async def held(here: World) -> str:
    """All that sync holds of rows, as one text."""
    async with here.sync_database.connection() as connection:
        rows = await connection.exec_driver_sql("SELECT quarantined_row::text FROM quarantined_row")
        batches = await connection.exec_driver_sql("SELECT batch_id, encode(outcome, 'escape') FROM batch")
        told = await connection.exec_driver_sql("SELECT encode(outcome, 'escape') FROM declaration")
        return str([*rows, *batches, *told])


async def test_refused_rows_and_their_names_in_answers_are_erased(here: World) -> None:
    """By key, and by the sender's own number in other names; other children's, and other schools', stay."""
    stub = await here.sync()
    await stub.PushRows(push("good", pupil("M1.2026", **CHILD)))
    await stub.PushRows(push("bad", pupil("M1.2026", 2, sex="9", **CHILD), pupil("M2.2026", sex="9", **CHILD)))
    await stub.PushRows(push("far", pupil("M1.2026", sex="9", school=SCHOOL_B, **CHILD), unit=SCHOOL_B))
    await stub.PushDocument(document(ndjson([moet_pupil("M1", NGAY_SINH="31/02/2021")])))
    assert await here.count("quarantined_row") == 4

    await grant(here, "M1.2026")

    shown = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))
    assert [row.problem.key for row in shown.rows] == ["M2.2026"]
    assert await here.count("quarantined_row") == 2
    again = await stub.PushRows(push("bad", pupil("M1.2026", 2, sex="9", **CHILD), pupil("M2.2026", sex="9", **CHILD)))
    assert list(again.outcome.states) == [REJECTED, REJECTED]
    assert [one.key for one in again.outcome.problems] == ["", "M2.2026"]


async def test_what_comes_later_is_refused_and_not_kept(here: World) -> None:
    """Be it refused as erased, or for another reason: the key alone is noted."""
    stub = await here.sync()
    await stub.PushRows(push("good", pupil("M1.2026", **CHILD)))
    await grant(here, "M1.2026")

    late = await stub.PushRows(push("late", pupil("M1.2026", 2, full_name="Bùi Thị Út", **CHILD)))
    await stub.PushRows(push("bad", pupil("M1.2026", 3, full_name="Bùi Thị Út", sex="9", **CHILD)))

    (problem,) = late.outcome.problems
    assert (problem.reason, problem.field) == ("RECORD_ERASED", "key")
    assert "xóa theo yêu cầu" in problem.message
    assert await here.count("quarantined_row") == 2
    assert "Bùi" not in await held(here)
    shown = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))
    assert {row.problem.reason for row in shown.rows} >= {"RECORD_ERASED"}


async def test_what_would_be_gone_by_a_declaration_no_longer_names_who_was_erased(here: World) -> None:
    """Neither the answer of its batch, nor what is kept of it, nor the question in the quarantine; the others stay."""
    stub = await here.sync()
    await stub.PushRows(push("good", *(pupil(f"M{one}.2026", **CHILD) for one in range(6))))
    full_of = sync_pb2.FullOf(school=SCHOOL_A, school_year=2026, collection="pupils", version=9)
    whole = push("whole", pupil("M0.2026", **CHILD), full_of=full_of)
    assert len((await stub.PushRows(whole)).outcome.full.disappeared_keys) == 5

    await grant(here, "M1.2026")

    assert "M1.2026" not in await held(here)
    left = (await stub.PushRows(whole)).outcome.full
    assert list(left.disappeared_keys) == [f"M{one}.2026" for one in range(2, 6)]


async def test_batches_of_a_declaration_for_all_schools_no_longer_name_who_was_erased(here: World) -> None:
    """Each of them was told what would be gone, and none lies in the school."""
    stub = await here.sync()
    await stub.PushRows(push("good", *(pupil(f"M{one}.2026", **CHILD) for one in range(6))))
    full_of = sync_pb2.FullOf(
        school=SCHOOL_A, school_year=2026, collection="pupils", version=9, declaration_id="d", batch_count=2
    )
    first = push("1", pupil("M0.2026", **CHILD), unit=PROVINCE, full_of=full_of)
    await stub.PushRows(first)
    await stub.PushRows(push("2", unit=PROVINCE, full_of=full_of))
    assert len((await stub.PushRows(first)).outcome.full.disappeared_keys) == 5
    assert (await held(here)).count("M1.2026") > 2

    await grant(here, "M1.2026")

    assert "M1.2026" not in await held(here)


async def test_a_declaration_that_is_being_decided_names_nobody_who_is_erased_meanwhile(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure is carried out after it was looked up what is held, and before it is written what lacks."""
    stub = await here.sync()
    await stub.PushRows(push("good", *(pupil(f"M{one}.2026", **CHILD) for one in range(6))))
    looked_up = Records.holdings

    async def holdings(records: Records, **asked: Any) -> Any:
        found = await looked_up(records, **asked)
        await grant(here, "M1.2026")
        return found

    monkeypatch.setattr(Records, "holdings", holdings)
    full_of = sync_pb2.FullOf(school=SCHOOL_A, school_year=2026, collection="pupils", version=9)
    whole = push("whole", pupil("M0.2026", **CHILD), full_of=full_of)
    await stub.PushRows(whole)

    left = (await stub.PushRows(whole)).outcome.full
    assert list(left.disappeared_keys) == [f"M{one}.2026" for one in range(2, 6)]
    async with here.sync_database.connection() as reads:
        rows = await reads.exec_driver_sql("SELECT encode(outcome, 'escape') FROM declaration")
        batches = await reads.exec_driver_sql("SELECT encode(outcome, 'escape') FROM batch WHERE batch_id = 'whole'")
        assert "M1.2026" not in str([*rows, *batches])


async def test_files_of_the_commune_go_with_an_erasure_at_a_school_that_has_ended(here: World) -> None:
    """It uploaded for the school while that was there."""
    await (await here.sync()).PushRows(push("good", pupil("M1.2026", **CHILD)))
    stub = await desk(here, VENDOR)
    await stub.CreateImport(parts(workbook(("6A", pupils(1))), unit=COMMUNE, source=VENDOR))

    async def rests() -> bool:
        async with here.sync_database.connection() as reads:
            found = await reads.exec_driver_sql("SELECT end_time IS NOT NULL FROM import")
            return bool(found.scalar_one())

    await poll_until(rests, 40.0)
    assert await here.count("import_part")
    ended = str(here.scopes.tree.resolve(SCHOOL_A, here.clock.today()))
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    merging = unit_operations_pb2.UnitOperation(
        effective_date=here.clock.today().isoformat(),
        document="QĐ 1",
        merge=unit_operations_pb2.MergeUnits(units=[SCHOOL_A], successor_unit=SCHOOL_B),
    )
    await unit_operations_pb2_grpc.UnitOperationsServiceStub(channel).CreateUnitOperation(
        unit_operations_pb2.CreateUnitOperationRequest(request_id="1", operation=merging)
    )
    await poll_until(lambda: here.scopes.tree.resolve(SCHOOL_A, here.clock.today()) is None)

    await grant(here, "M1.2026", school=ended)

    assert await here.count("import_part") == 0


def test_a_number_is_looked_for_in_quotes_and_not_too_short() -> None:
    """Else half of all rows would mention it."""
    assert mentions_of({"HS1.2026", "7.2026"}) == ['"7.2026"', '"HS1"', '"HS1.2026"']


async def test_a_file_that_is_only_looked_at_is_kept_without_who_was_erased(here: World) -> None:
    """What would become of the row is told, not whose it is; others are named as ever."""
    await (await here.sync()).PushRows(push("good", pupil("M1.2026", **CHILD)))
    await grant(here, "M1.2026")
    wrong = {"Khối": "99"}
    lines = [*pupils(0), *(pupil_line(number, **{"Mã học sinh": f"M{number}"}, **wrong) for number in (1, 2))]

    one = await send(here, workbook(("6A", lines)), validate_only=True)

    assert (one.state, one.rejected_count) == (imports_pb2.IMPORT_STATE_SUCCEEDED, 2), one
    left = await held(here)
    assert "M1" not in left
    assert "M2.2026" in left


async def test_what_a_file_lacks_no_longer_names_who_was_erased(here: World) -> None:
    """How many they are stays; a file that was only looked at is no exception."""
    await (await here.sync()).PushRows(push("good", *(pupil(f"M{one}.2026", **CHILD) for one in range(3))))
    asked = {"source": "vnedu", "collection": "pupils", "complete": True, "validate_only": True}
    one = await send(here, workbook(("6A", pupils(2))), **asked)
    assert [(told.count, len(told.keys)) for told in one.deletions] == [(3, 3)], one

    await grant(here, "M1.2026")

    one = await rested(here, one.import_id)
    assert [(told.count, list(told.keys)) for told in one.deletions] == [(3, [])]
