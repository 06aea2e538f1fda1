"""Workbooks with personal data: in full for a role and a purpose, else without it; each look is written down."""

import asyncio
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from iocedu.records.v1 import access_log_pb2, access_log_pb2_grpc
from iocedu.sync.v1 import imports_pb2
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from chassis import disclosures, outbox
from chassis.errors import Fault, Kind
from chassis.testing import client
from services.records.store import feed
from services.sync.clients.records import Records
from services.sync.store import imports
from services.sync.usecases.imports.opening import made, remove_left_folders, spooled
from tests.integration.sync.files import desk, indexed, pupil_line, pupils, result_of, send, workbook
from tests.integration.sync.withholding import OBJECTION, grant, lift
from tests.integration.sync.world import (
    ADMINISTRATOR,
    CLERK,
    COMMUNE,
    HEAD,
    SCHOOL_A,
    SCHOOL_B,
    World,
    pupil,
    push,
)
from tests.support.databases import DatabaseFactory

PERSONAL = {"NGAY_SINH", "MA_DAN_TOC", "MA", "MA_CONG_DAN_ID", "TEN_ME"}
SECRET = "Bùi Thị Bí Mật"
Look = tuple[str, str, str, int, str, bool]


async def looks(here: World) -> list[Look]:
    """What the access log tells, the oldest first: who, by which method, at what, how many, why, in full."""
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    stub: access_log_pb2_grpc.AccessLogServiceAsyncStub = access_log_pb2_grpc.AccessLogServiceStub(channel)
    answer = await stub.ListAccesses(access_log_pb2.ListAccessesRequest(unit=SCHOOL_A))
    return [
        (one.subject, one.method, one.collection, one.record_count, one.purpose, one.unmasked)
        for one in reversed(answer.accesses)
        if one.method != "ListAccesses"
    ]


def fields(content: bytes) -> set[Any]:
    """The fields of a template's columns."""
    return {cell.value for cell in openpyxl.load_workbook(io.BytesIO(content))["Học sinh"][3]}


def texts(content: bytes) -> set[Any]:
    """Everything that stands in a workbook."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {cell.value for sheet in book.worksheets for line in sheet.iter_rows() for cell in line}


def counting(call: Callable[..., Awaitable[Any]], name: str, calls: list[str]) -> Callable[..., Awaitable[Any]]:
    """A call that is noted when it is made."""

    async def counted(*given: Any, **named: Any) -> Any:
        calls.append(name)
        return await call(*given, **named)

    return counted


async def test_a_filled_template_has_personal_columns_for_a_role_and_a_purpose_only(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the purpose alone nor the role alone suffices; a blank one shows nobody, and is no look."""
    appended, append = list[str](), outbox.append

    async def recorded(connection: AsyncConnection, events: Sequence[outbox.Outgoing]) -> None:
        appended.extend(one.event for one in events)
        await append(connection, events)

    monkeypatch.setattr(outbox, "append", recorded)
    await (await here.sync()).PushRows(push("1", pupil("HS001.2026", personal_id="049215000123")))
    await indexed(here, 1)
    wanted = imports_pb2.GetTemplateRequest(unit=SCHOOL_A, collection="pupils", school_year=2026, filled=True)
    purposed = imports_pb2.GetTemplateRequest()
    purposed.CopyFrom(wanted)
    purposed.purpose = "rà soát"
    blank = imports_pb2.GetTemplateRequest(unit=SCHOOL_A, collection="pupils", school_year=2026)
    clerk, head = await desk(here), await desk(here, HEAD)
    for stub, request in ((clerk, purposed), (head, wanted)):
        shown = fields((await stub.GetTemplate(request)).content.data)
        assert {"HOC_SINH_ID", "HO_TEN", "MA_LOP", "MA_KHOI"} <= shown
        assert not shown & PERSONAL
    assert fields((await head.GetTemplate(purposed)).content.data) >= PERSONAL
    assert fields((await clerk.GetTemplate(blank)).content.data) >= PERSONAL

    assert await looks(here) == [
        (CLERK, "GetTemplate", "pupils", 1, "rà soát", False),
        (HEAD, "GetTemplate", "pupils", 1, "", False),
        (HEAD, "GetTemplate", "pupils", 1, "rà soát", True),
    ]
    assert disclosures.EVENT not in appended, "nothing else is a look"


async def test_a_restricted_record_stands_in_no_filled_template(here: World) -> None:
    """Neither in full nor masked, nor by its results. Once the restriction is lifted it is there again."""
    await (await here.sync()).PushRows(
        push("1", pupil("HS001.2026", full_name=SECRET), pupil("HS002.2026"), result_of("HS001.2026.CK1"))
    )
    number = await grant(here, "HS001.2026", kind=OBJECTION)
    wanted = [
        imports_pb2.GetTemplateRequest(
            unit=SCHOOL_A, collection=collection, school_year=2026, filled=True, purpose=purpose
        )
        for collection in ("pupils", "results")
        for purpose in ("", "rà soát")
    ]
    for subject in (CLERK, HEAD):
        stub = await desk(here, subject)
        for request in wanted:
            said = texts((await stub.GetTemplate(request)).content.data)
            assert not said & {SECRET, "HS001"}, (subject, request)
            assert ("HS002" in said) is (request.collection == "pupils")

    await lift(here, number)
    stub = await desk(here, HEAD)
    for request in wanted:
        assert texts((await stub.GetTemplate(request)).content.data) >= {SECRET, "HS001"}


async def test_a_filled_template_costs_as_many_calls_whatever_other_schools_hold(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads its own school's year, not the feed in which everybody's changes stand."""
    monkeypatch.setattr(feed, "WINDOW", 5)
    calls: list[str] = []
    for name in ("changes", "held", "holdings"):
        monkeypatch.setattr(Records, name, counting(getattr(Records, name), name, calls))
    await (await here.sync()).PushRows(push("1", pupil("HS001.2026"), pupil("HS002.2025", school_year=2025)))
    await indexed(here, 2)
    stub = await desk(here, HEAD)
    wanted = imports_pb2.GetTemplateRequest(unit=SCHOOL_A, collection="pupils", school_year=2026, filled=True)
    calls.clear()
    alone = texts((await stub.GetTemplate(wanted)).content.data)
    needed = list(calls)
    others = [pupil(f"HS{number:03}.2026", school=SCHOOL_B) for number in range(60)]
    await (await here.sync()).PushRows(push("2", *others, unit=COMMUNE))
    await indexed(here, 62)
    calls.clear()

    assert texts((await stub.GetTemplate(wanted)).content.data) == alone >= {"HS001"}
    assert calls == needed


async def test_a_workbook_with_errors_is_whole_for_who_sent_it_and_for_a_purpose(here: World) -> None:
    """To others come headings and rows with problems alone, without personal columns and what stands above, and of the
    other columns no cell that is no code: its row may be shifted.
    """
    shifted = pupil_line(3, **{"Khối": "Lê Thị Bí Mật", "Trạng thái": "049214000123", "Giới tính": "09/03/2014"})
    lines = [["Hiệu trưởng: Trần Văn Kín"], *pupils(3, HS002=pupil_line(2, Khối="99"), HS003=shifted)]
    one = await send(here, workbook(("6A", lines)))
    wanted = imports_pb2.GetImportReportRequest(unit=SCHOOL_A, import_id=one.import_id)
    told = imports_pb2.GetImportReportRequest(unit=SCHOOL_A, import_id=one.import_id, purpose="hỗ trợ văn thư")
    clerk, head = await desk(here), await desk(here, HEAD)
    for stub, request in ((clerk, wanted), (head, told)):
        sheet = openpyxl.load_workbook(io.BytesIO((await stub.GetImportReport(request)).content.data))["6A"]
        assert (sheet["A1"].value, sheet["D3"].value) == (lines[0][0], lines[2][3])
    masked = openpyxl.load_workbook(io.BytesIO((await head.GetImportReport(wanted)).content.data))["6A"]

    filled = {cell.coordinate: cell.value for row in masked.iter_rows() for cell in row if cell.value is not None}
    assert {place[1:] for place in filled} == {"2", "4", "5"}, "headings, and the rows with problems"
    assert {place[0] for place in filled if place.endswith("5")} == {"B", "C", "G", "J"}
    assert {place[0] for place in filled if place.endswith("4")} == {"B", "C", "E", "G", "H", "I", "J"}
    assert "MA_KHOI" in str(filled["J4"])
    assert await looks(here) == [
        (CLERK, "GetImportReport", "pupils", 3, "", True),
        (HEAD, "GetImportReport", "pupils", 3, "hỗ trợ văn thư", True),
        (HEAD, "GetImportReport", "pupils", 3, "", False),
    ]


async def test_a_workbook_whose_looks_cannot_be_kept_comes_back_by_its_values(here: World) -> None:
    """Styles of other software break the keeping of looks, not the report."""
    odd = io.BytesIO()
    content = workbook(("6A", pupils(2, HS002=pupil_line(2, Khối="99"))))
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(odd, "w") as changed:
        for name in given.namelist():
            changed.writestr(name, given.read(name).replace(b'"gray125"', b'"odd"'))
    with pytest.raises(ValueError, match=r"(?s).+"):
        openpyxl.load_workbook(io.BytesIO(odd.getvalue()))
    one = await send(here, odd.getvalue())
    request = imports_pb2.GetImportReportRequest(unit=SCHOOL_A, import_id=one.import_id)
    answer = await (await desk(here)).GetImportReport(request)
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content.data))["6A"]
    assert sheet["C3"].value == pupil_line(2)[2]
    assert "MA_KHOI" in sheet["J3"].value


async def test_a_process_that_dies_is_told_and_its_last_words_are_logged() -> None:
    """By a reason of its own to the caller, with status and output to the operators."""
    with capture_logs() as logs, pytest.raises(Fault) as refused:
        await made("nothing", told={})
    assert refused.value.reason == "WORKBOOK_FAILED"
    (entry,) = [one for one in logs if one["action"] == "imports.process_died"]
    assert (entry["asked"], entry["status"]) == ("nothing", 1)
    assert "The process that opens files" in entry["said"]


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {one.name for one in folder.iterdir()}


async def test_nothing_of_a_workbook_is_left_whatever_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts lie beside it; what a killed service left is removed later, and nobody else's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(Fault):
        await made("nothing", told={})
    assert names(tmp_path) == set()
    left, new, other = (tmp_path / name for name in ("iocedu-workbook-a", "iocedu-workbook-b", "another"))
    for folder in (left, new, other):
        folder.mkdir()
    (left / "workbook.xlsx").write_bytes(b"personal")
    for folder in (left, other):
        os.utime(folder, (0, 0))
    remove_left_folders()
    assert {new.name, other.name} == names(tmp_path)


async def test_a_file_that_is_worked_on_has_no_name(
    database_factory: DatabaseFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed leaves nothing of it; others open it all the same."""

    async def parts(_reads: Any, _import_id: int) -> AsyncIterator[bytes]:
        yield b"every"
        yield b"body"

    database = await database_factory("sync")
    monkeypatch.setattr(imports, "parts", parts)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with spooled(database, 1) as path:
        assert names(tmp_path) == set()
        answer = await asyncio.to_thread(subprocess.run, ["cat", str(path)], check=True, capture_output=True)
        assert answer.stdout == b"everybody"


async def test_where_no_process_can_be_started_another_try_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has no room: the caller, and the import, come again later."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with capture_logs() as logs, pytest.raises(Fault) as refused:
        await made("template", told={})
    assert refused.value.kind is Kind.UNAVAILABLE
    assert [(one["action"], one["asked"]) for one in logs] == [("imports.process_not_started", "template")]
