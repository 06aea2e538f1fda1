"""Looking at records: masked by default, within the caller's units, each look written down."""

import asyncio
from typing import Any

import pytest
from iocedu.records.v1 import records_pb2
from sqlalchemy.exc import DBAPIError

from chassis.errors import Fault, Kind
from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, SCHOOL_B, Running, gone, pupil, reason


def _get(key: str, *, school: str = SCHOOL_A, purpose: str = "") -> records_pb2.GetRecordRequest:
    return records_pb2.GetRecordRequest(collection="pupils", school=school, key=key, purpose=purpose)


async def test_a_record_is_masked_by_default_and_shown_for_a_purpose_to_those_who_may(records: Running):
    """A clerk's purpose opens nothing, a head teacher's purpose does; both looks are on record."""
    await records.apply(pupil("1"))
    await records.settled()
    await records.grant("clerk@a", "clerk", SCHOOL_A)
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    head, clerk = await records.records("head@a"), await records.records("clerk@a")
    masked = (await head.GetRecord(_get("1"))).record
    assert masked.masked
    assert (masked.row.pupil.birth_date, masked.row.pupil.ethnic_group) == ("2014", "•••")
    shown = (await head.GetRecord(_get("1", purpose="Xác nhận hồ sơ chuyển trường"))).record
    assert not shown.masked
    assert shown.row == pupil("1")
    assert (shown.position, shown.source) == (1, "vnedu")
    assert (await clerk.GetRecord(_get("1", purpose="Muốn xem"))).record.masked
    log = await records.rows(
        "SELECT subject, method, key, record_count, purpose, unmasked FROM access_log ORDER BY 1, 5"
    )
    assert log == [
        ("clerk@a", "GetRecord", "1", 1, "Muốn xem", False),
        ("head@a", "GetRecord", "1", 1, "", False),
        ("head@a", "GetRecord", "1", 1, "Xác nhận hồ sơ chuyển trường", True),
    ]
    traces = await records.rows("SELECT count(DISTINCT trace_id) FROM access_log WHERE length(trace_id) = 32")
    assert traces == [(3,)]


async def test_what_is_not_there_is_said_and_the_look_is_still_written_down(records: Running):
    """A deleted record is as unknown to people as one that never was."""
    await records.apply(pupil("1"), pupil("2"))
    await records.apply(gone("1", 2))
    stub = await records.records()
    for key in ("1", "nobody"):
        with pytest.raises(Fault) as error:
            await stub.GetRecord(_get(key))
        assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, "UNKNOWN_RECORD")
        assert error.value.metadata["key"] == key
    assert await records.rows("SELECT key, record_count FROM access_log ORDER BY entry_id") == [("1", 0), ("nobody", 0)]


async def test_many_looks_at_once_are_each_answered_and_each_written_down(records: Running):
    """Sharing transactions mixes up no answers."""
    await records.apply(*(pupil(str(number), full_name=f"Tên {number}") for number in range(40)))
    stub = await records.records()
    answers = await asyncio.gather(*(stub.GetRecord(_get(str(number % 40))) for number in range(200)))
    assert [one.record.row.pupil.full_name for one in answers] == [f"Tên {number % 40}" for number in range(200)]
    assert await records.rows("SELECT count(*), count(DISTINCT trace_id) FROM access_log") == [(200, 200)]


async def test_a_foreign_unit_is_not_looked_into(records: Running):
    """A head teacher sees her school and no other."""
    await records.apply(pupil("1"), pupil("1", school=SCHOOL_B))
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    stub = await records.records("head@a")
    for request in (stub.GetRecord(_get("1", school=SCHOOL_B)), stub.ListRecords(_list(unit=COMMUNE))):
        with pytest.raises(Fault) as error:
            await request
        assert (error.value.kind, reason(error)) == (Kind.DENIED, "NO_GRANT")


def _list(unit: str = PROVINCE, **fields: object) -> records_pb2.ListRecordsRequest:
    return records_pb2.ListRecordsRequest(**({"collection": "pupils", "unit": unit} | fields))  # type: ignore[arg-type]  # test data


async def test_a_list_pages_through_a_subtree_in_key_order(records: Running):
    """Pages join without gap or repeat; deleted records are not listed; every page is written down."""
    rows = [pupil(f"{number:02}", school=school) for school in (SCHOOL_B, SCHOOL_A) for number in range(7)]
    await records.apply(*rows, pupil("gone"))
    await records.apply(gone("gone", 2))
    stub, token, pages = await records.records(), "", []
    while True:
        page = await stub.ListRecords(_list(page_size=5, page_token=token))
        pages.append([(one.row.school, one.row.key) for one in page.records])
        token = page.next_page_token
        if not token:
            break
    assert [len(page) for page in pages] == [5, 5, 4]
    assert sorted({school for page in pages for school, _ in page}) == [SCHOOL_A, SCHOOL_B]
    listed = [one for page in pages for one in page]
    assert len(set(listed)) == 14
    assert [key for school, key in listed if school == SCHOOL_A] == [f"{number:02}" for number in range(7)]
    assert await records.rows("SELECT record_count FROM access_log ORDER BY entry_id") == [(5,), (5,), (4,)]
    assert all(one.masked for one in (await stub.ListRecords(_list())).records)


async def test_a_page_ends_before_it_outgrows_a_message(records: Running, monkeypatch: pytest.MonkeyPatch):
    """Records may be long: the rest comes on the next page."""
    monkeypatch.setattr("services.records.servicer.records.MOST_PAGE_BYTES", 300)
    await records.apply(*(pupil(str(number), class_key="x" * 60) for number in range(5)))
    stub, token, keys = await records.records(), "", list[list[str]]()
    while token or not keys:
        page = await stub.ListRecords(_list(page_token=token))
        keys.append([one.row.key for one in page.records])
        token = page.next_page_token
    assert keys == [["0", "1"], ["2", "3"], ["4"]]
    assert await records.rows("SELECT record_count FROM access_log ORDER BY entry_id") == [(2,), (2,), (1,)]


async def test_a_part_of_a_name_is_found_with_or_without_tones(records: Running):
    """`hoa`, `HÒA` and `van hoà` find the same pupil; a sign of the query language is a sign."""
    await records.apply(
        pupil("1", full_name="Nguyễn Văn Hòa"), pupil("2", full_name="Đặng Lê"), pupil("3", school_year=2025)
    )
    stub = await records.records()

    async def found(**fields: Any) -> list[str]:
        return [one.row.key for one in (await stub.ListRecords(_list(**fields))).records]

    for typed in ("hoa", "HÒA", "van hoà"):
        assert await found(name_contains=typed, school_year=2026) == ["1"]
    assert await found(name_contains="dang") == ["2"]
    assert await found(name_contains="Đặng l") == ["2"]
    assert await found(name_contains="%") == []
    assert await found(school_year=2025) == ["3"]


async def test_a_collection_without_names_refuses_a_search_by_name(records: Running):
    """A register has no name: that is said, and nothing is listed in its stead."""
    with pytest.raises(Fault) as error:
        await (await records.records()).ListRecords(_list(collection="attendance", name_contains="a"))
    assert (error.value.kind, reason(error)) == (Kind.INVALID, "INVALID_FIELD")
    assert error.value.violations[0].field == "name_contains"


@pytest.mark.parametrize(
    "statement", ["UPDATE access_log SET subject = 'x'", "DELETE FROM access_log", "TRUNCATE access_log"]
)
async def test_the_access_log_cannot_be_rewritten(records: Running, statement: str):
    """The database itself refuses, whoever asks."""
    await records.apply(pupil("1"))
    await (await records.records()).GetRecord(_get("1"))
    with pytest.raises(DBAPIError, match="append-only"):
        async with records.database.transaction() as connection:
            await connection.exec_driver_sql(statement)
    assert len(await records.rows("SELECT 1 FROM access_log")) == 1
