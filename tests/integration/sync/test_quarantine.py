"""Rows of the quarantine: corrected in place, taken once more, by themselves when a lock is lifted."""

from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2
from iocedu.sync.v1 import quarantine_pb2, quarantine_pb2_grpc, sync_pb2

from chassis.errors import Fault
from chassis.testing import client
from tests.integration.sync.files import corrected
from tests.integration.sync.world import (
    CLERK,
    COMMUNE,
    OTHER_COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    SCHOOL_C,
    VENDOR,
    World,
    document,
    moet_pupil,
    ndjson,
    pupil,
    push,
)
from tests.support.waiting import poll_until

ACCEPTED = resources_pb2.ROW_STATE_ACCEPTED
REJECTED = resources_pb2.ROW_STATE_REJECTED


async def ward(here: World, subject: str = CLERK) -> "quarantine_pb2_grpc.QuarantineServiceAsyncStub":
    """QuarantineService as a subject calls it."""
    channel = client(here.sync_address, here.keys.mint(subject), language="vi")
    stub: quarantine_pb2_grpc.QuarantineServiceAsyncStub = quarantine_pb2_grpc.QuarantineServiceStub(
        await here.stack.enter_async_context(channel)
    )
    return stub


async def kept(here: World) -> list[sync_pb2.QuarantinedRow]:
    """What stands in the quarantine of the school."""
    stub = await here.sync(CLERK)
    return list((await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))).rows)


async def test_the_quarantine_is_searched_by_what_is_wrong_and_where_it_came_from(here: World) -> None:
    """By reason, field, batch, source and key, alone and together."""
    vendor = await here.sync()
    await vendor.PushRows(push("1", pupil("HS1", sex="9"), pupil("HS2", status="77")))
    await vendor.PushRows(push("2", pupil("HS3", sex="9"), source="smas"))

    async def found(**like: Any) -> list[str]:
        rows = await vendor.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A, **like))
        return sorted(row.problem.key for row in rows.rows)

    assert await found(field="pupil.sex") == ["HS1", "HS3"]
    assert await found(field="pupil.sex", batch_id="1") == ["HS1"]
    assert await found(source="smas") == ["HS3"]
    assert await found(key="HS2", reason="INVALID_FIELD") == ["HS2"]


async def test_a_row_is_corrected_in_the_names_it_was_sent_in(here: World) -> None:
    """It is stored under its own source and version, and leaves the quarantine."""
    rows = ndjson([moet_pupil("HS1", NGAY_SINH="31/02/2014"), moet_pupil("HS2", MA_KHOI="99")])
    await (await here.sync()).PushDocument(document(rows))
    ids = {row.problem.key: row.quarantined_row_id for row in await kept(here)}
    again = await corrected(here, ids["HS1.2026"], NGAY_SINH="32/01/2014")
    assert (again.state, again.problem.reason) == (REJECTED, "INVALID_DATE")
    assert (await corrected(here, ids["HS1.2026"], NGAY_SINH="28/02/2014")).state == ACCEPTED
    with pytest.raises(Fault) as refused:
        await corrected(here, ids["HS2.2026"], KHOI="06")
    assert refused.value.reason == "INVALID_FIELD"
    assert (await corrected(here, ids["HS2.2026"], MA_KHOI="06")).state == ACCEPTED
    assert await kept(here) == []
    record = await here.record("HS1.2026")
    assert (record.row.pupil.birth_date, record.source, record.row.version) == ("2014-02-28", VENDOR, 1)
    assert record.row.pupil.further["TEN_ME"] == "Trần Thị Lan"


async def test_a_field_that_nobody_knows_is_taken_out_by_emptying_it(here: World) -> None:
    """By the name that its problem says; another value for it is refused, with what to do instead."""
    sent = moet_pupil("HS1")
    sent["HO_TENN"] = sent.pop("HO_TEN")
    await (await here.sync()).PushDocument(document(ndjson([sent])))
    (row,) = await kept(here)
    assert (row.problem.reason, row.problem.field) == ("UNKNOWN_FIELD", "HO_TENN")
    with pytest.raises(Fault) as refused:
        await corrected(here, row.quarantined_row_id, HO_TENN="Nguyễn An")
    assert "giá trị trống" in refused.value.vi
    done = await corrected(here, row.quarantined_row_id, HO_TENN="", HO_TEN="Nguyễn An")
    assert done.state == ACCEPTED
    assert (await here.record("HS1.2026")).row.pupil.full_name == "Nguyễn An"


async def test_a_correction_never_leaves_a_row_with_a_field_that_nobody_knows(here: World) -> None:
    """Whatever else is wrong with it."""
    await (await here.sync()).PushDocument(document(ndjson([moet_pupil("HS1", NGAY_SINH="31/02/2014")])))
    (row,) = await kept(here)
    with pytest.raises(Fault) as refused:
        await corrected(here, row.quarantined_row_id, birthDate="2014-02-28")
    assert refused.value.reason == "INVALID_FIELD"
    assert "birthDate" not in (await kept(here))[0].content


async def test_a_row_of_our_names_is_corrected_by_its_path(here: World) -> None:
    """Names nest there."""
    await (await here.sync()).PushRows(push("1", pupil("HS1", birth_date="2014-02-31")))
    (row,) = await kept(here)
    asked = quarantine_pb2.CorrectQuarantinedRowRequest(
        unit=SCHOOL_A, quarantined_row_id=row.quarantined_row_id, values={"pupil.birth_date": "2014-02-28"}
    )
    assert (await (await ward(here)).CorrectQuarantinedRow(asked)).state == ACCEPTED
    assert (await here.record("HS1")).row.pupil.birth_date == "2014-02-28"


async def test_all_that_one_cause_explains_is_taken_once_more_together(here: World) -> None:
    """What it does not explain stays, with what is wrong; a row overtaken by a newer version leaves as settled."""
    vendor = await here.sync()
    await vendor.PushRows(push("1", pupil("HS1", sex="9"), pupil("HS2", status="77"), pupil("HS3", status="77")))
    await vendor.PushRows(push("2", pupil("HS3", version=2)))
    async with here.sync_database.transaction() as writes:  # As if the code had come into the catalogue.
        await writes.exec_driver_sql("""UPDATE quarantined_row SET content = replace(content, '"77"', '"01"')""")
    stub = await ward(here)
    done = await stub.ReplayQuarantinedRows(
        quarantine_pb2.ReplayQuarantinedRowsRequest(unit=SCHOOL_A, field="pupil.status")
    )
    assert (done.replayed_count, done.accepted_count, done.settled_count, done.remaining_count) == (2, 1, 1, 0)
    assert (await here.record("HS3")).row.version == 2
    done = await stub.ReplayQuarantinedRows(quarantine_pb2.ReplayQuarantinedRowsRequest(unit=SCHOOL_A))
    assert (done.replayed_count, done.remaining_count) == (1, 1)
    (left,) = await kept(here)
    assert (left.problem.key, left.problem.field) == ("HS1", "pupil.sex")


async def test_rows_held_by_a_lock_are_stored_by_themselves_when_it_is_lifted(here: World) -> None:
    """Nobody has to send them again; a connection is fresher for it."""
    await here.lock("pupils")
    outcome = (await (await here.sync()).PushRows(push("1", *(pupil(f"HS{n}") for n in range(3))))).outcome
    assert outcome.held_count == 3
    await here.lift("pupils")

    async def none_left() -> bool:
        return await here.count("quarantined_row") == 0

    await poll_until(none_left, 20.0)
    assert (await here.record("HS2")).row.pupil.full_name
    assert await here.count("replay") == 0
    async with here.sync_database.connection() as reads:
        found = await reads.exec_driver_sql("SELECT max(accepted_count) FROM connection")
        assert found.scalar_one() == 3


async def test_nobody_corrects_what_lies_below_another_unit(here: World) -> None:
    """The row is not there for a unit that it does not lie below."""
    await (await here.sync()).PushRows(push("1", pupil("HS1", sex="9")))
    (row,) = await kept(here)
    stub = await ward(here, VENDOR)
    asked = quarantine_pb2.CorrectQuarantinedRowRequest(
        unit=OTHER_COMMUNE, quarantined_row_id=row.quarantined_row_id, values={"pupil.sex": "1"}
    )
    with pytest.raises(Fault) as refused:
        await stub.CorrectQuarantinedRow(asked)
    assert refused.value.reason == "UNKNOWN_QUARANTINED_ROW"


async def correcting(
    here: World, row: sync_pb2.QuarantinedRow, *, unit: str = SCHOOL_A, subject: str = CLERK, **values: str
) -> Any:
    """What becomes of a row that somebody corrects at a unit; dots of names are written as two underscores."""
    asked = quarantine_pb2.CorrectQuarantinedRowRequest(
        unit=unit,
        quarantined_row_id=row.quarantined_row_id,
        values={name.replace("__", "."): value for name, value in values.items()},
    )
    return await (await ward(here, subject)).CorrectQuarantinedRow(asked)


async def test_a_correction_writes_at_no_school_beyond_the_unit_it_is_made_at(here: World) -> None:
    """The batch was for the province, the corrector is of one school: what another holds stays, and so does the row."""
    vendor = await here.sync()
    await vendor.PushRows(push("1", pupil("HS1", sex="9"), pupil("V1", school=SCHOOL_C), unit=PROVINCE))
    (row,) = await kept(here)

    for school in (SCHOOL_C, "moet:404"):
        with pytest.raises(Fault) as refused:
            await correcting(here, row, pupil__sex="1", school=school, key="V1", version="99", pupil__full_name="Sai")
        assert refused.value.reason == "SCHOOL_OUTSIDE_UNIT"
        assert "Trường THCS Nguyễn Du" in refused.value.vi

    there = await here.record("V1", school=SCHOOL_C)
    assert (there.row.pupil.full_name, there.row.version) == ("Nguyễn Văn Hòa", 1)
    assert await kept(here) == [row], "nothing of the correction is kept, so that nobody takes it once more elsewhere"
    assert (await correcting(here, row, pupil__sex="1")).state == ACCEPTED


async def test_rows_taken_once_more_at_a_unit_are_stored_at_its_schools_only(here: World) -> None:
    """Whatever they name by then, and whatever unit their batch was for."""
    await (await here.sync()).PushRows(push("1", pupil("HS1", sex="9"), unit=PROVINCE))
    async with here.sync_database.transaction() as writes:
        await writes.exec_driver_sql(
            "UPDATE quarantined_row SET content ="
            f""" replace(replace(content, '"9"', '"1"'), '{SCHOOL_A}', '{SCHOOL_C}')"""
        )
    asked = quarantine_pb2.ReplayQuarantinedRowsRequest(unit=SCHOOL_A)
    assert (await (await ward(here)).ReplayQuarantinedRows(asked)).remaining_count == 1
    (left,) = await kept(here)
    assert (left.problem.reason, left.problem.field) == ("SCHOOL_OUTSIDE_UNIT", "school")
    assert "Trường THCS Nguyễn Du" in left.problem.message


async def test_a_row_refused_for_its_school_is_given_one_of_the_unit(here: World) -> None:
    """By who stands for a unit above, at any school below it and at no other."""
    rows = ndjson([moet_pupil("HS1", TRUONG_ID="404")])
    await (await here.sync()).PushDocument(document(rows, unit=COMMUNE))
    stub = await here.sync()
    (row,) = (await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=COMMUNE))).rows
    assert row.problem.reason == "UNKNOWN_SCHOOL"

    with pytest.raises(Fault) as refused:
        await correcting(here, row, unit=COMMUNE, subject=VENDOR, TRUONG_ID=SCHOOL_C.partition(":")[2])
    assert refused.value.reason == "SCHOOL_OUTSIDE_UNIT"
    moved = await correcting(here, row, unit=COMMUNE, subject=VENDOR, TRUONG_ID=SCHOOL_B.partition(":")[2])
    assert moved.state == ACCEPTED
    assert (await here.record("HS1.2026", school=SCHOOL_B)).row.version == 1


async def test_a_correction_makes_no_other_record_of_a_row(here: World) -> None:
    """Neither with what is wrong nor instead of it: the record that it would overwrite stays, and so does the row."""
    vendor = await here.sync()
    await vendor.PushRows(push("1", pupil("HS1", sex="9"), pupil("HS2", full_name="Lê Thị An"), unit=COMMUNE))
    (row,) = await kept(here)
    for other in ({"key": "HS2"}, {"version": "99"}, {"previous_key": "HS2"}, {"school": SCHOOL_B}):
        for more in ({"pupil__sex": "1"}, {}):
            with pytest.raises(Fault) as refused:
                await correcting(here, row, unit=COMMUNE, subject=VENDOR, **other, **more)
            assert (refused.value.reason, refused.value.violations[0].field) == ("INVALID_FIELD", "values")
            assert "bản ghi khác" in refused.value.vi
    assert await kept(here) == [row]
    assert (await here.record("HS2")).row.pupil.full_name == "Lê Thị An"
    assert (await correcting(here, row, pupil__sex="1")).state == ACCEPTED


async def test_a_correction_gives_a_row_the_version_that_it_lacked_and_takes_no_record_from_another_source(
    here: World,
) -> None:
    """A version that was used is what is wrong with its row; of another source's record no value is."""
    vendor = await here.sync()
    await vendor.PushRows(push("1", pupil("HS1"), pupil("HS2")))
    await vendor.PushRows(push("2", pupil("HS1", full_name="Lê Thị An")))
    await vendor.PushRows(push("3", pupil("HS2", 2), source="smas"))
    rows = {row.problem.reason: row for row in await kept(here)}
    assert {reason: row.problem.field for reason, row in rows.items()} == {
        "VERSION_REUSED": "version",
        "OTHER_SOURCE": "key",
    }
    assert (await correcting(here, rows["VERSION_REUSED"], version="2")).state == ACCEPTED
    assert (await here.record("HS1")).row.pupil.full_name == "Lê Thị An"
    with pytest.raises(Fault) as refused:
        await correcting(here, rows["OTHER_SOURCE"], key="HS3")
    assert "bản ghi khác" in refused.value.vi


async def test_a_correction_deletes_only_what_the_row_said_to_be_gone(here: World) -> None:
    """Not by a flag of its own, in one step or in two; a deletion that was sent wrong is corrected like any row."""
    vendor = await here.sync()
    await vendor.PushDocument(document(ndjson([moet_pupil("HS1"), moet_pupil("HS2")]), batch_id="1"))
    rows = [moet_pupil("HS1", NGAY_SINH="31/02/2014", PHIEN_BAN=2), moet_pupil("", PHIEN_BAN=3, DA_XOA=1)]
    await vendor.PushDocument(document(ndjson(rows), batch_id="2"))
    changed, gone = sorted(await kept(here), key=lambda row: row.problem.index)

    for more in ({"NGAY_SINH": "28/02/2014"}, {}, {"DOI_TUONG": "KHAC"}):
        with pytest.raises(Fault) as refused:
            await correcting(here, changed, DA_XOA="1", **more)
        assert (refused.value.reason, refused.value.violations[0].field) == ("INVALID_FIELD", "values")
        assert "DA_XOA" in refused.value.vi
    assert (await correcting(here, changed, NGAY_SINH="28/02/2014", DA_XOA="0")).state == ACCEPTED
    assert (await here.record("HS1.2026")).row.version == 2
    assert (await correcting(here, gone, HOC_SINH_ID="HS2")).state == ACCEPTED
    with pytest.raises(Fault) as refused:
        await here.record("HS2.2026")
    assert refused.value.reason == "UNKNOWN_RECORD"
