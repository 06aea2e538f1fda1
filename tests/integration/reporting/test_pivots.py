"""Pivots: kept by one, seen by those they are shared with, answered as analyses are, and sent by the clock."""

import csv
import io
import zipfile
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from iocedu.notify.v1 import notice_requested_pb2
from iocedu.reporting.v1 import exports_pb2, pivots_pb2, pivots_pb2_grpc

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from services.reporting.domain.exports import ExportState
from services.reporting.store import exports
from services.reporting.store.exports import Begun
from tests.integration.reporting.report_scenes import ADMINISTRATOR, COMMUNE_DIRECTOR, DIRECTOR, HEAD, OFFICER, Desk
from tests.integration.reporting.scenes import NEW_COMMUNE, NOW, PRIMARY, PROVINCE
from tests.support.waiting import poll_until

DONE = exports_pb2.EXPORT_STATE_DONE
LEASE = timedelta(seconds=60)


def _stub(desk: Desk, subject: str = DIRECTOR) -> Any:
    return pivots_pb2_grpc.PivotsServiceStub(desk.channels[subject])


def _content(**changes: Any) -> pivots_pb2.PivotContent:
    question = {"indicators": ["pupils", "girls_share"], "dimensions": ["grade"]} | changes.pop("question", {})
    kept: dict[str, Any] = {"name": "Quy mô", "question": pivots_pb2.PivotQuestion(**question)}
    return pivots_pb2.PivotContent(**(kept | changes))


async def _kept(desk: Desk, unit: int = PROVINCE, subject: str = DIRECTOR, **changes: Any) -> pivots_pb2.Pivot:
    request = pivots_pb2.CreatePivotRequest(unit=str(unit), content=_content(**changes))
    pivot: pivots_pb2.Pivot = (await _stub(desk, subject).CreatePivot(request)).pivot
    return pivot


async def _listed(desk: Desk, subject: str, unit: int) -> list[str]:
    found = await _stub(desk, subject).ListPivots(pivots_pb2.ListPivotsRequest(unit=str(unit)))
    return [one.content.name for one in found.pivots]


async def _file(desk: Desk, export_id: int, unit: int, subject: str) -> bytes:
    async def done() -> bool:
        asked = exports_pb2.GetExportRequest(unit=str(unit), export_id=export_id)
        return bool((await desk.exports(subject).GetExport(asked)).export.state == DONE)

    await poll_until(done)
    asked = exports_pb2.DownloadExportRequest(unit=str(unit), export_id=export_id)
    return bytes((await desk.exports(subject).DownloadExport(asked)).content.data)


async def test_a_pivot_says_what_the_same_analysis_says(desk: Desk):
    """Now, and of the unit it is run for."""
    pivot = await _kept(desk)
    ran = await _stub(desk).RunPivot(pivots_pb2.RunPivotRequest(unit="gso:49", pivot_id=pivot.pivot_id))
    figures = {
        (one.figure.indicator, *one.figure.dimension_values): one.figure.value for one in ran.answer.periods[0].figures
    }
    assert figures["pupils", "03"] == 3
    assert figures["pupils", "04"] == 1
    assert figures["girls_share", "03"] == pytest.approx(100 / 3)


async def test_a_shared_pivot_is_run_by_those_below_for_their_own_unit(desk: Desk):
    """One that is not shared is nobody else's; one of a unit below is not seen above."""
    shared = await _kept(desk, name="Chung", shared=True)
    await _kept(desk, name="Riêng")
    await _kept(desk, unit=NEW_COMMUNE, subject=OFFICER, name="Của xã", shared=True)
    assert await _listed(desk, DIRECTOR, PROVINCE) == ["Chung", "Riêng"]
    assert await _listed(desk, HEAD, PRIMARY) == ["Chung", "Của xã"]
    request = pivots_pb2.RunPivotRequest(unit=str(PRIMARY), pivot_id=shared.pivot_id)
    ran = await _stub(desk, HEAD).RunPivot(request)
    assert {one.figure.unit_id for one in ran.answer.periods[0].figures} == {PRIMARY}
    assert not ran.pivot.own


async def test_only_its_owner_changes_a_pivot_and_only_what_was_read(desk: Desk):
    """Others save one of their own; an old etag tells that somebody was faster."""
    pivot = await _kept(desk, unit=NEW_COMMUNE, subject=OFFICER, shared=True)
    asked: dict[str, Any] = {"unit": str(NEW_COMMUNE), "pivot_id": pivot.pivot_id}
    other = pivots_pb2.UpdatePivotRequest(**asked, content=_content(name="Khác"), etag=pivot.etag)
    with pytest.raises(Fault) as refused:
        await _stub(desk, COMMUNE_DIRECTOR).UpdatePivot(other)
    assert refused.value.reason == "NOT_OWNER"
    after = (await _stub(desk, OFFICER).UpdatePivot(other)).pivot
    assert (after.content.name, after.content.shared) == ("Khác", False)
    for call, request in (("UpdatePivot", other), ("DeletePivot", pivots_pb2.DeletePivotRequest(**asked, etag="1.1"))):
        with pytest.raises(Fault) as refused:
            await getattr(_stub(desk, OFFICER), call)(request)
        assert refused.value.reason == "PIVOT_CHANGED"
    await _stub(desk, OFFICER).DeletePivot(pivots_pb2.DeletePivotRequest(**asked, etag=after.etag))
    assert await _listed(desk, OFFICER, NEW_COMMUNE) == []


async def test_who_may_keep_pivots_deletes_what_is_left_of_who_no_longer_may(desk: Desk, report_database: Database):
    """Else nobody could: what is shared stays in the lists of all below. Others' content is never changed."""
    pivot = await _kept(desk, unit=NEW_COMMUNE, subject=OFFICER, shared=True)
    asked: dict[str, Any] = {"unit": str(NEW_COMMUNE), "pivot_id": pivot.pivot_id, "etag": pivot.etag}
    with pytest.raises(Fault) as refused:
        await _stub(desk, COMMUNE_DIRECTOR).DeletePivot(pivots_pb2.DeletePivotRequest(**asked))
    assert refused.value.reason == "NOT_OWNER"
    async with report_database.transaction() as connection:
        await connection.execute(sa.text("UPDATE pivot SET owner = 'nguoi-cu'"))
    found = await _stub(desk, COMMUNE_DIRECTOR).ListPivots(pivots_pb2.ListPivotsRequest(unit=str(NEW_COMMUNE)))
    assert [(pivot.abandoned, one.abandoned) for one in found.pivots] == [(False, True)]
    with pytest.raises(Fault) as refused:
        await _stub(desk, COMMUNE_DIRECTOR).UpdatePivot(
            pivots_pb2.UpdatePivotRequest(**asked, content=_content(name="Khác"))
        )
    assert refused.value.reason == "NOT_OWNER"
    await _stub(desk, COMMUNE_DIRECTOR).DeletePivot(pivots_pb2.DeletePivotRequest(**asked))
    assert await _listed(desk, COMMUNE_DIRECTOR, NEW_COMMUNE) == []


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"indicators": ["no_such"]}, "UNKNOWN_INDICATOR"),
        ({"breakdown": "galaxy"}, "UNKNOWN_BREAKDOWN"),
        ({"dimensions": ["ethnic_group", "grade"], "indicators": ["pupils"]}, "SENSITIVE_COMBINATION"),
    ],
)
async def test_what_cannot_be_answered_is_not_kept(desk: Desk, question: dict[str, Any], reason: str):
    """The guard of ethnic groups is that of every question."""
    with pytest.raises(Fault) as refused:
        await _kept(desk, question=question)
    assert refused.value.reason == reason
    assert await _listed(desk, DIRECTOR, PROVINCE) == []


@pytest.mark.parametrize(
    "changes",
    [{"name": " "}, {"schedule": pivots_pb2.PivotSchedule(interval=pivots_pb2.PIVOT_INTERVAL_WEEKLY, day=8, hour=7)}],
)
async def test_a_pivot_without_a_name_or_of_no_day_of_the_week_is_refused(desk: Desk, changes: dict[str, Any]):
    """Instead of kept as something nobody meant."""
    with pytest.raises(Fault) as refused:
        await _kept(desk, **changes)
    assert refused.value.kind is Kind.INVALID
    assert await _listed(desk, DIRECTOR, PROVINCE) == []


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
async def test_a_pivot_is_exported_with_its_numbers_and_rules(desk: Desk, kind: str):
    """As a job, once a request id; no text in it is run."""
    pivot = await _kept(desk, name="=1+1")
    request = pivots_pb2.ExportPivotRequest(unit="gso:49", pivot_id=pivot.pivot_id, format=kind, request_id="x")
    export = (await _stub(desk).ExportPivot(request)).export
    assert export.export_id == (await _stub(desk).ExportPivot(request)).export.export_id
    assert (export.pivot_id, export.campaign_id) == (pivot.pivot_id, 0)
    content = await _file(desk, export.export_id, PROVINCE, DIRECTOR)
    if kind == "csv":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            rows = list(csv.DictReader(io.StringIO(archive.read(archive.namelist()[0]).decode("utf-8-sig"))))
        assert {row["grade"]: row["Value"] for row in rows if row["Code"] == "pupils"} == {"03": "3", "04": "1"}
        assert {row["grade"]: row["Grade"] for row in rows} == {"03": "Grade 3", "04": "Grade 4"}, "codes have words"
        return
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.worksheets[0]["A1"].data_type == "s"
    lines = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows(min_row=4)]
    assert ["2026-2027", "", "pupils", "Pupils", str(PROVINCE), "Quảng Nam", "03", "Grade 3", 3] in [
        line[:9] for line in lines
    ]
    assert any("girls" in str(cell.value).lower() for row in book.worksheets[1].iter_rows() for cell in row)


async def test_the_file_of_a_pivot_is_of_who_had_it_made(desk: Desk):
    """Others neither see, fetch nor cancel it, whether or not they could run the pivot."""
    pivot = await _kept(desk)
    request = pivots_pb2.ExportPivotRequest(unit="gso:49", pivot_id=pivot.pivot_id)
    export = (await _stub(desk).ExportPivot(request)).export
    await _file(desk, export.export_id, PROVINCE, DIRECTOR)
    others = desk.exports(ADMINISTRATOR)
    named: dict[str, Any] = {"unit": str(PROVINCE), "export_id": export.export_id}
    for call, asked in (
        (others.GetExport, exports_pb2.GetExportRequest(**named)),
        (others.DownloadExport, exports_pb2.DownloadExportRequest(**named)),
        (others.CancelExport, exports_pb2.CancelExportRequest(**named)),
    ):
        with pytest.raises(Fault) as refused:
            await call(asked)
        assert refused.value.reason == "UNKNOWN_EXPORT"


async def test_a_scheduled_pivot_is_made_once_and_its_owner_told(
    desk: Desk, report_database: Database, report_clock: FixedClock, bus: Bus
):
    """When its hour has come, also a day late; nothing is sent to who may not then; the turns go on."""
    told = await bus.jetstream.subscribe("iocedu.reporting.v1.notice-requested", ordered_consumer=True)
    schedule = pivots_pb2.PivotSchedule(interval=pivots_pb2.PIVOT_INTERVAL_DAILY, hour=7)
    pivot = await _kept(desk, unit=NEW_COMMUNE, subject=OFFICER, schedule=schedule)
    assert pivot.next_time.ToDatetime().isoformat() == "2026-11-03T00:00:00"
    async with report_database.transaction() as connection:
        await connection.execute(
            sa.text(
                "INSERT INTO pivot (unit_id, owner, name, shared, question, interval, hour, day, format, language,"
                " next_time, revision, update_time) SELECT unit_id, 'nguoi-cu', name, shared, question, interval, hour,"
                " day, format, language, next_time, revision, update_time FROM pivot"
            )
        )
    report_clock.advance(timedelta(days=2))

    async def ended() -> list[Any]:
        async with report_database.connection() as connection:
            return list(await connection.execute(sa.text("SELECT created_by, state, scheduled FROM export")))

    async def done() -> bool:
        return [tuple(row) for row in await ended()] == [(OFFICER, DONE, True)]

    await poll_until(done)
    message = await told.next_msg(timeout=60)
    (notice,) = notice_requested_pb2.NoticesRequested.FromString(message.data).requests
    assert (list(notice.subjects), list(notice.audience_roles)) == ([OFFICER], [])
    assert "Quy mô" in notice.title_vi
    assert f"pivot={pivot.pivot_id}" in notice.link
    found = await _stub(desk, OFFICER).ListPivots(pivots_pb2.ListPivotsRequest(unit=str(NEW_COMMUNE)))
    assert found.pivots[0].next_time.ToDatetime().isoformat() == "2026-11-05T00:00:00"
    async with report_database.connection() as connection:
        next_time = await connection.scalar(sa.text("SELECT next_time FROM pivot WHERE owner = 'nguoi-cu'"))
        assert next_time.isoformat() == "2026-11-05T00:00:00+00:00"


async def test_a_long_export_stays_with_who_has_it_and_ends_for_nobody_else(report_database: Database):
    """A lease is renewed while work goes on; who lost it neither brings it forward nor ends it."""
    async with report_database.transaction() as connection:
        begun = Begun(PROVINCE, "xlsx", DIRECTOR, "vi", pivot_id=1)
        await exports.add_export(connection, begun, now=NOW)
        first = await exports.claim_export(connection, now=NOW, lease_until=NOW + LEASE)
        assert first is not None
        later = NOW + LEASE * 2
        assert await exports.renew(connection, first, lease_until=later + LEASE)
        assert await exports.claim_export(connection, now=later, lease_until=later + LEASE) is None
        second = await exports.claim_export(connection, now=later + LEASE * 2, lease_until=later + LEASE * 3)
        assert second is not None
        assert not await exports.renew(connection, first, lease_until=later + LEASE * 9)
        assert not await exports.advance(connection, first, done=1, total=1)
        state = ExportState.DONE
        assert not await exports.end_export(connection, first.export_id, state, now=later, attempts=first.attempts)
        assert await exports.end_export(connection, second.export_id, state, now=later, attempts=second.attempts)
