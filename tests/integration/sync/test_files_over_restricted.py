"""Files over records that are restricted: what the law keeps stays whole, and nothing that comes of them shows it."""

from typing import Any

import pytest
from iocedu.sync.v1 import imports_pb2, quarantine_pb2

from chassis.errors import Fault
from tests.integration.sync.files import desk, pupil_line, pupils, send, workbook
from tests.integration.sync.test_quarantine import ward
from tests.integration.sync.withholding import OBJECTION, grant
from tests.integration.sync.world import CLERK, SCHOOL_A, World, pupil, push

SUCCEEDED = imports_pb2.IMPORT_STATE_SUCCEEDED
HELD: dict[str, Any] = {"personal_id": "049215000123", "ethnic_group": "26", "birth_date": "2014-03-09"}


async def restricted(here: World) -> None:
    """A pupil whose record is restricted, and another one."""
    rows = [pupil(f"{key}.2026", **HELD, full_name="Nguyễn Văn Hòa") for key in ("HS001", "HS002")]
    await (await here.sync()).PushRows(push("1", *rows, source="file"))
    await grant(here, "HS001.2026", kind=OBJECTION)


async def stored(here: World, key: str) -> tuple[Any, ...]:
    """What is held of a pupil, whoever may see it."""
    async with here.records_database.connection() as connection:
        found = await connection.exec_driver_sql(
            "SELECT full_name, birth_date::text, personal_id, ethnic_group, deleted, EXISTS (SELECT FROM"
            " restricted_record AS one WHERE one.school_id = pupil.school_id AND one.key = pupil.key)"
            " FROM pupil WHERE key = $1",
            (key,),
        )
        return tuple(found.one())


def counts(one: imports_pb2.Import) -> tuple[int, ...]:
    """What became of the rows of a file."""
    return one.accepted_count, one.unchanged_count, one.stale_count, one.rejected_count, one.held_count


async def test_what_a_file_does_not_say_of_a_restricted_record_stays(here: World) -> None:
    """It is changed like any other, and stays restricted."""
    await restricted(here)
    lines = [["Mã học sinh", "Họ và tên", "Dân tộc"], ["HS001", "Nguyễn Văn Hòa Bình", ""]]
    one = await send(here, workbook(("Sửa", lines)))

    assert (one.state, counts(one)) == (SUCCEEDED, (1, 0, 0, 0, 0)), one
    assert await stored(here, "HS001.2026") == (
        "Nguyễn Văn Hòa Bình", "2014-03-09", "049215000123", "", False, True,
    )  # fmt: skip


@pytest.mark.parametrize("only_looked_at", [True, False])
async def test_no_outcome_tells_whether_a_file_says_what_is_restricted(here: World, *, only_looked_at: bool) -> None:
    """Else a column with guesses would find it out."""
    await restricted(here)
    told = {}
    for day in ("09/03/2014", "10/03/2014"):
        lines = [["Mã học sinh", "Họ và tên", "Ngày sinh"], ["HS001", "Nguyễn Văn Hòa", day]]
        one = await send(here, workbook(("Sửa", lines)), validate_only=only_looked_at)
        listed = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
        problems = (await (await desk(here)).ListImportProblems(listed)).problems
        told[day] = (one.state, counts(one), list(one.suspicions), list(problems))

    assert told["09/03/2014"] == told["10/03/2014"] == (SUCCEEDED, (1, 0, 0, 0, 0), [], [])
    assert (await stored(here, "HS001.2026"))[1] == ("2014-03-09" if only_looked_at else "2014-03-10")


async def test_what_is_wrong_over_a_restricted_record_says_nothing_of_it(here: World) -> None:
    """A date of birth that does not go with the grade of the file is told where it may be seen, else only the grade."""
    await restricted(here)
    lines = [["Mã học sinh", "Họ và tên", "Khối"], ["HS001", "Nguyễn Văn Hòa", "12"], ["HS002", "Nguyễn Văn Hòa", "12"]]
    one = await send(here, workbook(("Sửa", lines)))

    assert (one.state, counts(one)) == (SUCCEEDED, (0, 0, 0, 2, 0)), one
    listed = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    veiled, open_ = (await (await desk(here)).ListImportProblems(listed)).problems
    assert (veiled.row, veiled.problem.reason, veiled.problem.key) == (2, "RECORD_RESTRICTED", "HS001.2026")
    assert (open_.row, open_.problem.reason, open_.problem.field) == (3, "INVALID_DATE", "NGAY_SINH")
    assert not any(value in str(veiled) for value in ("NGAY_SINH", "2014", "049215000123"))
    assert (veiled.column, veiled.problem.field) == ("", "")
    async with here.sync_database.connection() as reads:
        rows = await reads.exec_driver_sql("SELECT key, content FROM quarantined_row")
        kept = {row.key: row.content for row in rows}
    assert kept["HS001.2026"] == ""
    assert "049215000123" in kept["HS002.2026"]


async def test_a_refused_row_over_a_restricted_record_is_not_taken_once_more(here: World) -> None:
    """Its contents are not kept: it stays, and is corrected in the file."""
    await restricted(here)
    lines = [["Mã học sinh", "Họ và tên", "Khối"], ["HS001", "Nguyễn Văn Hòa", "12"]]
    await send(here, workbook(("Sửa", lines)))
    stub = await ward(here, CLERK)
    done = await stub.ReplayQuarantinedRows(quarantine_pb2.ReplayQuarantinedRowsRequest(unit=SCHOOL_A))
    assert (done.replayed_count, done.remaining_count) == (1, 1)
    async with here.sync_database.connection() as reads:
        rows = await reads.exec_driver_sql("SELECT quarantined_row_id, reason FROM quarantined_row")
        kept = rows.one()
    assert kept.reason == "RECORD_RESTRICTED"
    correcting = quarantine_pb2.CorrectQuarantinedRowRequest(
        unit=SCHOOL_A, quarantined_row_id=kept.quarantined_row_id, values={"MA_KHOI": "06"}
    )
    with pytest.raises(Fault) as refused:
        await stub.CorrectQuarantinedRow(correcting)
    assert [violation.field for violation in refused.value.violations] == ["values"]
    assert (await stored(here, "HS001.2026"))[2] == "049215000123"


async def test_a_complete_file_lacks_nothing_where_it_lacks_the_restricted(here: World) -> None:
    """No template has it: nothing is asked, and nothing of it is deleted."""
    rows = [pupil(f"HS{number:03}.2026", personal_id="049215000123") for number in range(1, 6)]
    await (await here.sync()).PushRows(push("1", *rows, source="file"))
    for number in range(1, 4):
        await grant(here, f"HS{number:03}.2026", kind=OBJECTION)
    lines = [pupils(0)[0], *(pupil_line(number) for number in (4, 5))]
    one = await send(here, workbook(("6A", lines)), collection="pupils", complete=True)

    assert (one.state, list(one.suspicions), list(one.deletions)) == (SUCCEEDED, [], []), one
    assert (await stored(here, "HS001.2026"))[4:] == (False, True)
