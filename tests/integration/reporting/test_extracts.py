"""Extracts for research: asked for by one, approved by another, made of a month's cut, and no key to anybody."""

import asyncio
import csv
import io
import zipfile
from collections import Counter
from collections.abc import Awaitable, Iterator
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from iocedu.chassis.v1 import disclosures_pb2
from iocedu.notify.v1 import notice_requested_pb2
from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2
from iocedu.reporting.v1 import exports_pb2, extracts_pb2, extracts_pb2_grpc, reporting_pb2, reporting_pb2_grpc
from sqlalchemy.exc import IntegrityError

from chassis.bus import Bus, subject_of
from chassis.database import Database
from chassis.disclosures import EVENT
from chassis.errors import Fault
from chassis.testing import FixedClock
from services.reporting.convert import extracts
from services.reporting.convert.notices import NOTICE_REQUESTED
from services.reporting.domain.disclosure import SMALL
from services.reporting.domain.extracts import COLUMNS, SETS, WITHHELD
from services.reporting.store import extracts as store
from services.reporting.usecases import exporting
from tests.integration.reporting import scenes
from tests.integration.reporting.report_scenes import (
    ADMINISTRATOR,
    COMMUNE_DIRECTOR,
    DIRECTOR,
    OF_ALL_UNITS,
    OFFICER,
    Desk,
    waits_for_another,
)
from tests.integration.reporting.scenes import NEW_COMMUNE, PRIMARY, PROVINCE, YEAR
from tests.support.waiting import poll_until

DONE = exports_pb2.EXPORT_STATE_DONE
STATISTICIAN = "officer"  # Of the whole province.
WHY = "Chưa có quyết định của Sở"
PURPOSE = "Luận án về lưu ban, quyết định 12/QĐ-SGDĐT"

Rows = list[dict[str, str]]


def _stub(desk: Desk, subject: str = STATISTICIAN) -> Any:
    return extracts_pb2_grpc.ExtractsServiceStub(desk.channels[subject])


async def _asked(desk: Desk, *columns: str, subject: str = STATISTICIAN, **fields: Any) -> extracts_pb2.Extract:
    given = {"unit": str(PROVINCE), "columns": columns, "format": "csv", "purpose": PURPOSE} | fields
    answer = await _stub(desk, subject).RequestExtract(extracts_pb2.RequestExtractRequest(**given))
    extract: extracts_pb2.Extract = answer.extract
    return extract


async def _approved(desk: Desk, extract_id: int, subject: str = DIRECTOR) -> extracts_pb2.Extract:
    request = extracts_pb2.ApproveExtractRequest(unit=str(PROVINCE), extract_id=extract_id)
    extract: extracts_pb2.Extract = (await _stub(desk, subject).ApproveExtract(request)).extract
    return extract


async def _refused(desk: Desk, extract_id: int, subject: str = DIRECTOR, reason: str = WHY) -> extracts_pb2.Extract:
    request = extracts_pb2.RefuseExtractRequest(unit=str(PROVINCE), extract_id=extract_id, reason=reason)
    extract: extracts_pb2.Extract = (await _stub(desk, subject).RefuseExtract(request)).extract
    return extract


async def _restarted(desk: Desk, extract_id: int, subject: str = STATISTICIAN) -> extracts_pb2.Extract:
    request = extracts_pb2.RestartExtractRequest(unit=str(PROVINCE), extract_id=extract_id)
    extract: extracts_pb2.Extract = (await _stub(desk, subject).RestartExtract(request)).extract
    return extract


async def _listed(desk: Desk, extract_id: int) -> extracts_pb2.Extract:
    listed = (await _stub(desk).ListExtracts(extracts_pb2.ListExtractsRequest(unit=str(PROVINCE)))).extracts
    [found] = [one for one in listed if one.extract_id == extract_id]
    return extracts_pb2.Extract.FromString(found.SerializeToString())


async def _reason(call: Awaitable[Any]) -> str:
    """Why a call is refused."""
    with pytest.raises(Fault) as refused:
        await call
    return refused.value.reason


async def _made(desk: Desk, *columns: str, **fields: Any) -> tuple[extracts_pb2.Extract, bytes]:
    """An extract asked for, approved and done, and its file."""
    extract = await _approved(desk, (await _asked(desk, *columns, **fields)).extract_id)

    async def done() -> bool:
        asked = exports_pb2.GetExportRequest(unit=str(PROVINCE), export_id=extract.export.export_id)
        return bool((await desk.exports().GetExport(asked)).export.state == DONE)

    await poll_until(done)
    asked = extracts_pb2.DownloadExtractRequest(unit=str(PROVINCE), extract_id=extract.extract_id)
    return extract, bytes((await _stub(desk).DownloadExtract(asked)).content.data)


def _read(content: bytes) -> tuple[Rows, dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        about, lines = (archive.read(name).decode("utf-8-sig") for name in sorted(archive.namelist()))
    return list(csv.DictReader(io.StringIO(lines))), dict(csv.reader(io.StringIO(about)))


async def _lines(desk: Desk, *columns: str, **fields: Any) -> Rows:
    return _read((await _made(desk, *columns, **fields))[1])[0]


def _counted(rows: Rows, *columns: str) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row[name] for name in columns) for row in rows)


async def _figures(desk: Desk, *dimensions: str, unit: int = PROVINCE) -> dict[tuple[str, ...], float]:
    """Pupils as figures give them, those that are withheld left out."""
    stub = reporting_pb2_grpc.ReportingServiceStub(desk.channels[DIRECTOR])
    asked = reporting_pb2.QueryIndicatorsRequest(unit=str(unit), indicators=["pupils"], dimensions=dimensions)
    found = (await stub.QueryIndicators(asked)).figures
    return {tuple(one.dimension_values): one.value for one in found if one.HasField("value")}


async def _brought(desk: Desk, bus: Bus, *changes: records_pb2.Change, position: int = 1000) -> None:
    """Have records counted, beside the four pupils of the scene."""
    before = sum((await _figures(desk)).values())
    await scenes.Records(bus, position).publish(*changes)
    coming = sum(one.row.HasField("pupil") for one in changes)

    async def counted() -> bool:
        return sum((await _figures(desk)).values()) == before + coming

    await poll_until(counted)


def _learners(count: int, *, learning: str, born: str, **fields: str) -> Iterator[records_pb2.Change]:
    """Pupils of grade 6 with a year's result."""
    for number in range(count):
        key = f"{learning}{born}{fields['sex']}{number}"
        change = scenes.pupil(key, level="03", grade="06", class_key="6A", **fields)  # type: ignore[arg-type]  # texts
        change.row.pupil.birth_date = f"{born}-05-01"
        yield change
        row = resources_pb2.Row(
            school=f"moet:{PRIMARY}",
            key=f"R{key}",
            version=1,
            result=results_pb2.Result(
                school_year=YEAR, pupil_key=key, stage="CN", regulation="TT22", learning_result=learning
            ),
        )
        yield records_pb2.Change(school_id=PRIMARY, type=resources_pb2.OBJECT_TYPE_RESULT, row=row)


async def test_an_extract_is_made_once_somebody_else_approves(desk: Desk, bus: Bus):
    """Asked for once a request id; each look at it stands in the access log with its purpose."""
    shown = await bus.jetstream.subscribe(subject_of("reporting", EVENT), ordered_consumer=True)
    await _brought(desk, bus, *scenes.pupils(8, sex="2"))
    asked = await _asked(desk, "grade", request_id="a")
    assert (await _asked(desk, "grade", request_id="a")).extract_id == asked.extract_id
    assert not asked.HasField("export")
    with pytest.raises(Fault) as refused:
        await _approved(desk, asked.extract_id, STATISTICIAN)
    assert refused.value.reason == "NO_GRANT"
    extract, content = await _made(desk, "grade", "sex")
    rows, about = _read(content)
    assert extract.approved_by == DIRECTOR
    assert _counted(rows, "grade", "sex") == {("03", "2"): 9}
    assert about["Purpose"] == PURPOSE
    assert (about["Requested by"], about["Approved by"], about["Lines"]) == (STATISTICIAN, DIRECTOR, "9")
    assert about["Pupils left out (too few alike, of all levels)"] == "3"
    assert about["Values withheld in column grade"] == "0"
    assert about["Counting rule"]
    told = [
        (one.subject, one.method, one.record_count, one.purpose)
        for _ in range(2)
        for one in disclosures_pb2.Disclosures.FromString((await shown.next_msg(timeout=60)).data).disclosures
    ]
    assert told == [(DIRECTOR, "ApproveExtract", 0, PURPOSE), (STATISTICIAN, "DownloadExtract", 9, PURPOSE)]


async def test_who_asked_does_not_approve_and_others_do_not_get_the_file(desk: Desk, bus: Bus):
    """Nor is the file given as any export's; a second approval of the same person begins nothing."""
    await _brought(desk, bus, *scenes.pupils(8))
    own = await _asked(desk, "grade", subject=DIRECTOR)
    with pytest.raises(Fault) as refused:
        await _approved(desk, own.extract_id)
    assert refused.value.reason == "SAME_PERSON"
    extract, _ = await _made(desk, "grade")
    assert (await _approved(desk, extract.extract_id)).export.export_id == extract.export.export_id
    with pytest.raises(Fault) as refused:
        await desk.exports().DownloadExport(
            exports_pb2.DownloadExportRequest(unit=str(PROVINCE), export_id=extract.export.export_id)
        )
    assert refused.value.reason == "UNKNOWN_EXPORT"
    with pytest.raises(Fault) as refused:
        await _stub(desk, DIRECTOR).DownloadExtract(
            extracts_pb2.DownloadExtractRequest(unit=str(PROVINCE), extract_id=own.extract_id)
        )
    assert refused.value.reason == "EXTRACT_NOT_APPROVED"
    file = extracts_pb2.DownloadExtractRequest(unit=str(PROVINCE), extract_id=extract.extract_id)
    for subject, reason in ((OFFICER, "NO_GRANT"), (COMMUNE_DIRECTOR, "NO_GRANT"), (ADMINISTRATOR, "NOT_REQUESTER")):
        with pytest.raises(Fault) as refused:
            await _stub(desk, subject).DownloadExtract(file)
        assert refused.value.reason == reason
    with pytest.raises(Fault) as refused:
        await _approved(desk, extract.extract_id, ADMINISTRATOR)
    assert refused.value.reason == "EXTRACT_APPROVED"
    assert (await _stub(desk, DIRECTOR).DownloadExtract(file)).content.data
    listed = await _stub(desk).ListExtracts(extracts_pb2.ListExtractsRequest(unit=str(PROVINCE), page_size=1))
    assert [one.extract_id for one in listed.extracts] == [extract.extract_id]
    assert listed.next_page_token


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"unit": str(NEW_COMMUNE), "subject": COMMUNE_DIRECTOR}, "NOT_TOPMOST"),
        ({"unit": "0", "subject": OF_ALL_UNITS}, "NOT_TOPMOST"),
        ({"columns": ["full_name"]}, "UNKNOWN_COLUMN"),
        ({"columns": ["area", "learning"]}, "COLUMNS_APART"),
        ({"columns": ["grade", "ethnic_group"]}, "COLUMNS_APART"),
        ({"columns": ["area"], "purpose": " " * 12}, "INVALID_FIELD"),
        ({"levels": ["03", "9"]}, "UNKNOWN_LEVEL"),
        ({"school_year": 2000}, "UNKNOWN_SCHOOL_YEAR"),
        ({"school_year": YEAR + 1}, "UNKNOWN_SCHOOL_YEAR"),
    ],
)
async def test_what_could_point_at_persons_is_not_asked_for(desk: Desk, fields: dict[str, Any], reason: str):
    """Nor parts of the province, nor it once more as all units together, nor anything without a purpose."""
    with pytest.raises(Fault) as refused:
        await _asked(desk, **({"columns": ["grade"]} | fields))
    assert refused.value.reason == reason


async def test_levels_that_there_are_not_are_refused_with_those_there_are(desk: Desk):
    """An empty file would say that nobody is of that level."""
    with pytest.raises(Fault) as refused:
        await _asked(desk, "grade", levels=["02", "9"])
    [violation] = refused.value.violations
    assert (violation.field, violation.reason) == ("levels[1]", "UNKNOWN_LEVEL")
    assert "03 (Lower secondary)" in refused.value.en
    assert refused.value.metadata["known"] == "01,02,03,04,05"


async def test_a_refused_extract_says_why_and_is_never_made(desk: Desk):
    """The first decision stands: the same person may repeat it, nobody takes another one."""
    asked = await _asked(desk, "grade")
    assert asked.state == extracts_pb2.EXTRACT_STATE_REQUESTED
    assert await _reason(_refused(desk, asked.extract_id, STATISTICIAN)) == "NO_GRANT"
    assert await _reason(_refused(desk, asked.extract_id, reason="  ")) == "INVALID_FIELD"
    refused = await _refused(desk, asked.extract_id)
    assert (refused.state, refused.refused_by, refused.refuse_reason) == (
        extracts_pb2.EXTRACT_STATE_REFUSED,
        DIRECTOR,
        WHY,
    )
    assert refused.HasField("refuse_time")
    assert (await _refused(desk, asked.extract_id, reason="Lý do khác")).refuse_reason == WHY
    for call in (_approved(desk, asked.extract_id), _refused(desk, asked.extract_id, ADMINISTRATOR)):
        assert await _reason(call) == "EXTRACT_REFUSED"
    assert await _reason(_restarted(desk, asked.extract_id)) == "EXTRACT_NOT_FAILED"
    assert not (await _listed(desk, asked.extract_id)).HasField("export")
    own = await _asked(desk, "grade", subject=DIRECTOR)
    assert await _reason(_refused(desk, own.extract_id)) == "SAME_PERSON"
    await _approved(desk, own.extract_id, ADMINISTRATOR)
    assert await _reason(_refused(desk, own.extract_id, ADMINISTRATOR)) == "EXTRACT_APPROVED"


async def _withdrawn(desk: Desk, extract_id: int, subject: str = STATISTICIAN) -> extracts_pb2.Extract:
    request = extracts_pb2.WithdrawExtractRequest(unit=str(PROVINCE), extract_id=extract_id)
    extract: extracts_pb2.Extract = (await _stub(desk, subject).WithdrawExtract(request)).extract
    return extract


async def test_who_may_decide_hears_once_that_an_extract_was_withdrawn(desk: Desk, bus: Bus):
    """In place of the notice that asked them to decide."""
    told = await bus.jetstream.subscribe(subject_of("reporting", NOTICE_REQUESTED), ordered_consumer=True)
    asked = await _asked(desk, "grade")
    for _ in range(2):
        await _withdrawn(desk, asked.extract_id)
    other = await _asked(desk, "grade")
    heard: list[notice_requested_pb2.NoticeRequest] = []
    while not heard or heard[-1].key != f"extract/{other.extract_id}/requested/0":
        event = notice_requested_pb2.NoticesRequested.FromString((await told.next_msg(timeout=60)).data)
        heard += event.requests
    request, withdrawal = (one for one in heard if one.key == f"extract/{asked.extract_id}/requested/0")
    assert withdrawal.revision > request.revision
    assert (withdrawal.audience_roles, withdrawal.and_above) == (request.audience_roles, True)
    assert "đã rút yêu cầu" in withdrawal.body_vi


async def test_an_extract_that_is_approved_while_it_is_withdrawn_stays_approved(
    desk: Desk, report_database: Database, report_clock: FixedClock
):
    """The withdrawal waits for the decision and is refused."""
    asked = await _asked(desk, "grade")
    async with report_database.transaction() as connection:
        now = report_clock.now()
        await store.approve(connection, asked.extract_id, by=DIRECTOR, now=now, export_id=1)
        withdrawal = asyncio.create_task(_reason(_withdrawn(desk, asked.extract_id)))

        async def waits_or_is_done() -> bool:
            return withdrawal.done() or await waits_for_another(report_database)

        await poll_until(waits_or_is_done)
    assert await withdrawal == "EXTRACT_APPROVED"


async def test_who_asked_withdraws_an_extract_as_long_as_nobody_has_decided(desk: Desk):
    """Nobody else does, nobody decides on it afterwards, and what was decided is not withdrawn."""
    asked = await _asked(desk, "grade")
    assert await _reason(_withdrawn(desk, asked.extract_id, DIRECTOR)) == "NOT_REQUESTER"
    for _ in range(2):
        assert (await _withdrawn(desk, asked.extract_id)).state == extracts_pb2.EXTRACT_STATE_WITHDRAWN
    for call in (_approved(desk, asked.extract_id), _refused(desk, asked.extract_id)):
        assert await _reason(call) == "EXTRACT_WITHDRAWN"
    refused = await _asked(desk, "grade")
    await _refused(desk, refused.extract_id)
    assert await _reason(_withdrawn(desk, refused.extract_id)) == "EXTRACT_REFUSED"
    approved = await _asked(desk, "grade")
    await _approved(desk, approved.extract_id)
    assert await _reason(_withdrawn(desk, approved.extract_id)) == "EXTRACT_APPROVED"


async def test_the_export_of_an_extract_is_seen_and_cancelled_by_who_asked_or_may_decide(desk: Desk):
    """Another officer or auditor of the unit does not even hear that there is one."""
    extract = await _approved(desk, (await _asked(desk, "grade", subject=ADMINISTRATOR)).extract_id)
    given: dict[str, Any] = {"unit": str(PROVINCE), "export_id": extract.export.export_id}
    for request, name in (
        (exports_pb2.GetExportRequest, "GetExport"),
        (exports_pb2.CancelExportRequest, "CancelExport"),
    ):
        assert await _reason(getattr(desk.exports(STATISTICIAN), name)(request(**given))) == "UNKNOWN_EXPORT"
        for subject in (ADMINISTRATOR, DIRECTOR):
            answer = await getattr(desk.exports(subject), name)(request(**given))
            assert answer.export.export_id == extract.export.export_id
    own = await _approved(desk, (await _asked(desk, "grade")).extract_id)
    asked = exports_pb2.GetExportRequest(unit=str(PROVINCE), export_id=own.export.export_id)
    assert (await desk.exports(STATISTICIAN).GetExport(asked)).export.export_id == own.export.export_id


async def test_what_is_refused_cannot_be_approved_by_code_that_knows_of_no_refusal(
    desk: Desk, report_database: Database
):
    """Replicas of the version before run beside this one during an upgrade."""
    asked = await _asked(desk, "grade")
    await _refused(desk, asked.extract_id)
    with pytest.raises(IntegrityError, match="extract_decided_once"):
        async with report_database.transaction() as connection:
            await store.approve(connection, asked.extract_id, by=ADMINISTRATOR, now=scenes.NOW, export_id=1)


async def test_each_turn_of_an_extract_is_told_to_whom_it_concerns(desk: Desk, bus: Bus):
    """Who may decide hears of the request; who asked hears of decision, file and failure, with the way to the page."""
    told = await bus.jetstream.subscribe(subject_of("reporting", NOTICE_REQUESTED), ordered_consumer=True)

    async def heard() -> tuple[list[str], list[str], str]:
        event = notice_requested_pb2.NoticesRequested.FromString((await told.next_msg(timeout=10)).data)
        [one] = event.requests
        assert f"#unit={PROVINCE}&extract=" in one.link
        assert one.and_above == bool(one.audience_roles), "an administrator of every unit may decide, too"
        return list(one.audience_roles), list(one.subjects), one.body_vi

    extract, _ = await _made(desk, "sex")
    assert await heard() == (
        ["director", "administrator"],
        [],
        f"officer yêu cầu trích xuất dữ liệu nghiên cứu của Quảng Nam. Mục đích: {PURPOSE}",
    )
    assert (await heard())[1:] == (
        [STATISTICIAN],
        f"{DIRECTOR} đã phê duyệt; tệp đang được lập. Mục đích: {extract.purpose}",
    )
    assert (await heard())[2].startswith("Tệp trích xuất của Quảng Nam đã lập xong")
    await _refused(desk, (await _asked(desk, "sex")).extract_id)
    await heard()
    assert await heard() == ([], [STATISTICIAN], f"{DIRECTOR} từ chối: {WHY}")


async def test_a_failed_export_is_made_anew_at_one_word_of_those_it_is_for(
    desk: Desk, bus: Bus, monkeypatch: pytest.MonkeyPatch
):
    """Without another approval: it is the same extract. What is done or runs is not begun twice."""
    await _brought(desk, bus, *scenes.pupils(8))
    monkeypatch.setattr(exporting, "MOST_BYTES", 0)
    extract = await _approved(desk, (await _asked(desk, "sex")).extract_id)

    async def is_(state: exports_pb2.ExportState.ValueType) -> bool:
        return bool((await _listed(desk, extract.extract_id)).export.state == state)

    await poll_until(lambda: is_(exports_pb2.EXPORT_STATE_FAILED))
    assert (await _listed(desk, extract.extract_id)).export.failure == "EXPORT_TOO_LARGE"
    assert await _reason(_restarted(desk, extract.extract_id, ADMINISTRATOR)) == "NOT_REQUESTER"
    monkeypatch.undo()
    again = await _restarted(desk, extract.extract_id)
    assert again.export.export_id > extract.export.export_id
    await poll_until(lambda: is_(DONE))
    assert await _reason(_restarted(desk, extract.extract_id, DIRECTOR)) == "EXTRACT_NOT_FAILED"
    asked = extracts_pb2.DownloadExtractRequest(unit=str(PROVINCE), extract_id=extract.extract_id)
    assert (await _stub(desk).DownloadExtract(asked)).content.data


async def test_columns_are_told_in_words_with_those_that_go_together(desk: Desk):
    """Whoever asks chooses by these words, page by page too."""
    first = await _stub(desk).ListExtractColumns(extracts_pb2.ListExtractColumnsRequest(page_size=3))
    rest = await _stub(desk).ListExtractColumns(
        extracts_pb2.ListExtractColumnsRequest(page_size=100, page_token=first.next_page_token)
    )
    words = {one.code: one for one in (*first.columns, *rest.columns)}
    assert list(words) == list(COLUMNS)
    assert [tuple(one.columns) for one in rest.sets] == list(SETS)
    assert (words["level"].name_vi, words["level"].values[1].name_vi) == ("Cấp học", "Tiểu học")


async def test_no_line_of_one_extract_is_known_again_in_another(desk: Desk, bus: Bus):
    """Lines are numbered anew, in an order of their own; nothing in them is a key, a name or a school."""
    await _brought(desk, bus, *scenes.pupils(20))
    first, second = [await _lines(desk, "area", "sex") for _ in range(2)]
    assert len(first) == len(second) == 22
    assert not {row["line"] for row in first} & {row["line"] for row in second}
    assert set(first[0]) == {"line", "area", "sex"}
    assert {row["area"] for row in first} <= {"Mới", WITHHELD}


async def test_who_joins_extracts_and_figures_finds_no_rare_combination(desk: Desk, bus: Bus):
    """One girl who is good and over age: neither the extract, nor its parts, nor what figures leave tells of her."""
    await _brought(
        desk,
        bus,
        *_learners(30, learning="T", born="2015", sex="2"),
        *_learners(12, learning="Đ", born="2015", sex="2"),
        *_learners(9, learning="Đ", born="2012", sex="2"),
        *_learners(1, learning="T", born="2012", sex="2"),
        *_learners(40, learning="T", born="2015", sex="1"),
    )
    columns = ("grade", "sex", "learning", "age")
    rows = await _lines(desk, *columns)
    assert min(_counted(rows, *columns).values()) >= SMALL
    assert _counted(rows, *columns)["06", "1", "tt22:T", "official_age"] == 40
    over = sum(count for values, count in _counted(rows, "age").items() if values == ("over_age",))
    good = sum(count for values, count in _counted(rows, "sex", "learning").items() if values == ("2", "tt22:T"))
    assert all(left == 0 or left >= SMALL for left in (10 - over, 31 - good))  # What figures of each leave.
    by_age, by_result = await _lines(desk, "sex", "age"), await _lines(desk, "sex", "learning")
    assert _counted(by_age, "sex", "age") == _counted(rows, "sex", "age")
    assert _counted(by_result, "sex", "learning") == _counted(rows, "sex", "learning")


def _registers(days: int, *, missed: dict[str, int]) -> Iterator[records_pb2.Change]:
    """Mornings of class 6A; `missed` says in how many of the first each pupil was absent."""
    for number in range(days):
        record = resources_pb2.AttendanceRegister(
            school_year=YEAR, class_key="6A", day=f"{YEAR}-10-{number + 1:02}", session=1, scheduled_count=len(missed)
        )
        for key, count in missed.items():
            if number < count:
                record.exceptions.add(pupil_key=key, kind="K")
        row = resources_pb2.Row(school=f"moet:{PRIMARY}", key=f"6A.{number}", version=1, attendance_register=record)
        yield records_pb2.Change(school_id=PRIMARY, type=resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER, row=row)


async def test_absence_is_told_as_a_share_of_the_sessions_of_the_class(desk: Desk, bus: Bus):
    """Of ten mornings five pupils missed two, six missed one and seven none; who has no register is not known."""
    missed = {f"A{number}": 2 if number < 5 else 1 if number < 11 else 0 for number in range(18)}
    await _brought(
        desk,
        bus,
        *(scenes.pupil(key, level="03", grade="06", class_key="6A") for key in missed),
        *scenes.pupils(8, level="03", grade="06", class_key="6B"),
        *_registers(10, missed=missed),
    )
    rows = await _lines(desk, "absence", levels=["03"])
    assert _counted(rows, "absence") == {("severe",): 5, ("chronic",): 6, ("below",): 7, ("",): 8}


async def test_two_extracts_of_a_month_differ_by_nobody_who_came_between(
    desk: Desk, bus: Bus, report_clock: FixedClock
):
    """Else whoever subtracts them would know of one pupil all that is in a line; the next month's is another cut."""
    await _brought(desk, bus, *scenes.pupils(10, sex="2"))
    before = await _lines(desk, "area", "grade", "sex")
    await _brought(desk, bus, *scenes.pupils(1, sex="2"), position=2000)
    assert _counted(await _lines(desk, "sex"), "sex") == _counted(before, "sex")
    report_clock.advance(timedelta(days=30))
    assert len(await _lines(desk, "sex")) == len(before) + 1


async def test_of_ethnic_groups_an_extract_tells_what_figures_tell(desk: Desk, bus: Bus):
    """Cell for cell, so that subtracting the one from the other leaves nothing."""
    await _brought(
        desk,
        bus,
        *scenes.pupils(40, group="01", sex="1"),
        *scenes.pupils(30, group="26", sex="2"),
        *scenes.pupils(3, group="14", sex="2"),
        *scenes.pupils(9, group="26", sex="1"),
    )
    for dimensions in (("ethnic_group",), ("sex", "ethnic_group"), ("level", "sex", "ethnic_group")):
        rows = await _lines(desk, *dimensions)
        shown = {values: count for values, count in _counted(rows, *dimensions).items() if values[-1] != WITHHELD}
        assert shown == await _figures(desk, *dimensions)
        assert len(rows) == 86


async def test_levels_are_chosen_of_the_same_cut(desk: Desk, bus: Bus, monkeypatch):
    """A workbook holds the lines, on another sheet where one is full, and says how they were made."""
    monkeypatch.setattr(extracts, "MOST_LINES", 4)
    await _brought(desk, bus, *scenes.pupils(7, level="02"), *scenes.pupils(6, level="03", grade="06"))
    _, content = await _made(desk, "grade", levels=["03"], format="xlsx")
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["Extract", "Extract 2", "About"]
    sheets = [[row[1].value for row in book[name].iter_rows()] for name in ("Extract", "Extract 2")]
    assert sheets == [["grade", *["06"] * 4], ["grade", *["06"] * 2]]
    about = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert about["Lines"] == "6"
    assert "at least 5 pupils" in str(about["Withholding"])
