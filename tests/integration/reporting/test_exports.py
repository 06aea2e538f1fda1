"""Files: what is in them, that no text in them is run, and exports as jobs."""

import csv
import io
import zipfile
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from iocedu.reporting.v1 import exports_pb2

from chassis.database import Database
from chassis.errors import Fault
from chassis.testing import FixedClock
from tests.integration.reporting.report_scenes import DIRECTOR, HEAD, OFFICER, Desk, form
from tests.integration.reporting.scenes import NEW_COMMUNE, PRIMARY, SECONDARY
from tests.support.waiting import poll_until

RUNNING, DONE, CANCELLED, FAILED = 1, 2, 3, 4
EVIL = '=HYPERLINK("http://x","y")'


async def _overridden(desk: Desk, note: str = EVIL) -> None:
    given = form(name_vi="=1+1")
    for row in given.sheets[0].rows:
        row.title_vi = f"@{row.code}"
    await desk.begin(given)
    await desk.enter(rooms__rooms__number=(2, ""), rooms__area__number=(80.5, ""), pupils__g04__girls=(1, note))
    await desk.step("Confirm", HEAD)


def _book(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def _cells(sheet: Any) -> list[Any]:
    return [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]


async def _download(desk: Desk, subject: str = HEAD, **fields: Any) -> exports_pb2.DownloadReportResponse:
    report = (await desk.report()).report
    answer: exports_pb2.DownloadReportResponse = await desk.exports(subject).DownloadReport(
        exports_pb2.DownloadReportRequest(unit=str(PRIMARY), report_id=report.report_id, **fields)
    )
    return answer


async def test_a_workbook_is_the_form_with_its_source_time_and_rules(desk: Desk):
    """Numbers as numbers, an override shaded with its reason, and how every cell is counted."""
    await _overridden(desk, "Sĩ số thực tế")
    answer = await _download(desk)
    assert answer.file_name == f"khao_sat-2026-{PRIMARY}.xlsx"
    assert answer.content.content_type.endswith("spreadsheetml.sheet")
    book = _book(answer.content.data)
    assert book.sheetnames == ["Pupils", "Rooms", "Counting rules"]
    texts = [str(cell.value) for cell in _cells(book["Pupils"])]
    assert "SURVEY" in texts
    assert "Unit: TH Ái Nghĩa" in texts
    assert any(text.startswith("Data as of 10:00 02/11/2026") for text in texts)
    (row,) = [row for row in book["Pupils"].iter_rows() if row[0].value == "g04"]
    assert [cell.value for cell in row] == ["g04", 1, 1]
    assert "in place of 0: Sĩ số thực tế" in row[2].comment.text
    rules = [str(cell.value) for cell in _cells(book["Counting rules"])]
    assert "pupils (grade = 03, sex = 2)" in rules
    assert any("studying, arrived or resumed" in text for text in rules)
    assert not any("SAMPLE" in text for text in texts)


async def test_a_sample_says_so_on_every_sheet(desk: Desk):
    """So that nobody takes it for an issued form."""
    sample = await desk.begin_sample("primary_start_of_year")
    assert sample.sample
    book = _book((await _download(desk)).content.data)
    assert len(book.sheetnames) == 5
    for sheet in book.worksheets[:-1]:
        assert "SAMPLE – not an official form" in [cell.value for cell in _cells(sheet)]


async def test_no_text_in_a_file_is_run_as_a_formula(desk: Desk):
    """Neither what an author nor what a school wrote."""
    await _overridden(desk)
    for sheet in _book((await _download(desk)).content.data).worksheets:
        assert {cell.data_type for cell in _cells(sheet)} <= {"s", "n"}
    content = (await _download(desk, format="csv")).content.data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert len(rows) == 10
    (changed,) = [row for row in rows if row["source"] == "overridden"]
    assert changed["reason"] == f"'{EVIL}"
    assert (changed["value"], changed["counted_value"], changed["indicator"]) == ("1", "0", "pupils")
    assert changed["row_title"] == "'@g04"
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


async def _started(desk: Desk, subject: str = OFFICER, **fields: Any) -> exports_pb2.Export:
    answer = await desk.exports(subject).StartExport(
        exports_pb2.StartExportRequest(unit=str(NEW_COMMUNE), campaign_id=desk.campaign.campaign_id, **fields)
    )
    export: exports_pb2.Export = answer.export
    return export


async def _state(desk: Desk, export_id: int, subject: str = OFFICER) -> exports_pb2.Export:
    answer = await desk.exports(subject).GetExport(
        exports_pb2.GetExportRequest(unit=str(NEW_COMMUNE), export_id=export_id)
    )
    export: exports_pb2.Export = answer.export
    return export


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
async def test_an_export_of_a_campaign_is_done_in_the_background(desk: Desk, kind: str):
    """Begun once a request id; then the sum, every school that confirmed, and who has not."""
    await _overridden(desk, "Sĩ số thực tế")
    export = await _started(desk, format=kind, request_id="xuat-1")
    assert export.export_id == (await _started(desk, format=kind, request_id="xuat-1")).export_id

    async def done() -> bool:
        return (await _state(desk, export.export_id)).state == DONE

    await poll_until(done)
    ended = await _state(desk, export.export_id)
    assert (ended.done_count, ended.total_count) == (2, 2)
    answer = await desk.exports(OFFICER).DownloadExport(
        exports_pb2.DownloadExportRequest(unit=str(NEW_COMMUNE), export_id=export.export_id)
    )
    assert answer.file_name == ended.file_name
    if kind == "csv":
        with zipfile.ZipFile(io.BytesIO(answer.content.data)) as archive:
            text = archive.read(f"khao_sat-2026-{NEW_COMMUNE}.csv").decode("utf-8-sig")
        assert {row["school_id"] for row in csv.DictReader(io.StringIO(text))} == {str(PRIMARY)}
        return
    book = _book(answer.content.data)
    assert book.sheetnames[:2] == ["Sum - Pupils", "Sum - Rooms"]
    assert "1 of 2 schools added up" in [cell.value for cell in _cells(book["Sum - Pupils"])]
    status = [[cell.value for cell in row] for row in book["Submission"].iter_rows()]
    assert ["THCS Nguyễn Du", "draft", 0] in status
    assert ["TH Ái Nghĩa", "confirmed", 1] in status


async def test_a_cancelled_export_stays_cancelled_and_has_no_file(
    desk: Desk, report_database: Database, report_clock: FixedClock
):
    """Also when a replica that died held it."""
    await desk.begin()
    async with report_database.transaction() as connection:
        lease = report_clock.now() + timedelta(minutes=1)
        statement = "INSERT INTO export (unit_id, campaign_id, format, state, created_by, language, create_time,"
        statement += " lease_until) VALUES (:unit, :campaign, 'xlsx', 1, 'x', 'vi', :lease, :lease) RETURNING export_id"
        given = {"unit": NEW_COMMUNE, "campaign": desk.campaign.campaign_id, "lease": lease}
        held = int((await connection.execute(sa.text(statement), given)).scalar_one())
    request = exports_pb2.CancelExportRequest(unit=str(NEW_COMMUNE), export_id=held)
    assert (await desk.exports(OFFICER).CancelExport(request)).export.state == CANCELLED
    report_clock.advance(timedelta(minutes=2))
    after = await _started(desk)

    async def done() -> bool:
        return (await _state(desk, after.export_id)).state == DONE

    await poll_until(done)
    assert (await _state(desk, held)).state == CANCELLED
    with pytest.raises(Fault) as refused:
        await desk.exports(OFFICER).DownloadExport(
            exports_pb2.DownloadExportRequest(unit=str(NEW_COMMUNE), export_id=held)
        )
    assert (refused.value.reason, refused.value.metadata["state"]) == ("EXPORT_NOT_DONE", "cancelled")


async def test_an_export_left_by_a_dead_replica_is_taken_over_and_by_who_no_longer_may_refused(
    desk: Desk, report_database: Database, report_clock: FixedClock
):
    """When the lease ends; whether its caller still may is asked when it runs."""
    await desk.begin()
    async with report_database.transaction() as connection:
        statement = "INSERT INTO export (unit_id, campaign_id, format, state, created_by, language, create_time,"
        statement += " lease_until, attempts) VALUES (:unit, :campaign, 'xlsx', 1, :by, 'vi', :now, :now, 1)"
        statement += " RETURNING export_id"
        ids = [
            int((await connection.execute(sa.text(statement), {**given, "by": by})).scalar_one())
            for by in (DIRECTOR, "nguoi-cu")
            for given in ({"unit": NEW_COMMUNE, "campaign": desk.campaign.campaign_id, "now": report_clock.now()},)
        ]
    report_clock.advance(timedelta(minutes=2))

    async def ended() -> bool:
        return all([(await _state(desk, one)).state != RUNNING for one in ids])

    await poll_until(ended)
    taken, refused = [await _state(desk, one) for one in ids]
    assert (taken.state, refused.state, refused.failure) == (DONE, FAILED, "NO_GRANT")


async def test_only_who_may_sees_an_export(desk: Desk):
    """A school starts none; one of another unit is not there."""
    await desk.begin()
    export = await _started(desk)
    with pytest.raises(Fault) as refused:
        await desk.exports(HEAD).GetExport(exports_pb2.GetExportRequest(unit=str(PRIMARY), export_id=export.export_id))
    assert refused.value.reason == "NO_GRANT"
    with pytest.raises(Fault) as refused:
        await desk.exports().GetExport(exports_pb2.GetExportRequest(unit=str(SECONDARY), export_id=export.export_id))
    assert refused.value.reason == "UNKNOWN_EXPORT"
