"""Objects of the ministry's specification beside pupils and classes: pushed, read again, seen in the feed."""

import json
from typing import Any

from iocedu.records.v1 import records_pb2, records_pb2_grpc

from chassis.testing import client
from tests.integration.sync.world import (
    ACCEPTED,
    ADMINISTRATOR,
    REJECTED,
    SCHOOL_A,
    World,
    document,
    moet_pupil,
    ndjson,
)
from tests.support.waiting import poll_until

ENVELOPE = {"TRUONG_ID": SCHOOL_A.partition(":")[2], "NAM_HOC": "2026-2027", "PHIEN_BAN": 1}
SITES = [{"DIEM_TRUONG_ID": "D2", "TEN": "Thôn 2", "KHOANG_CACH_DIEM_TRUONG_CHINH": "3,5"}]
GRADES = [{"DIEM_TRUONG_ID": f"D{place}", "LOP1_SO_LOP": place, "LOP1_HS_TONG_SO": "30"} for place in range(200)]
OBJECTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "DIEM_THI_LAI": ("retests", "HS1.2026", {"HOC_SINH_ID": "HS1", "DIEM_MONS": [{"MA_MON_HOC": "TOAN", "DIEM": 6}]}),
    "XET_TOT_NGHIEP": ("graduations", "HS1.2026", {"HOC_SINH_ID": "HS1", "IS_TOT_NGHIEP": "1"}),
    "THI_SINH_TU_DO": ("exam-candidates", "TS1.2026", {"HOC_SINH_ID": "TS1", "HO_TEN": "Lê An", "DIEM_TOAN": "8,25"}),
    "PHONG_HOC": ("facilities", "P1.2026", {"CO_SO_VAT_CHAT_ID": "P1", "TEN_PHONG": "Phòng 1", "DIEN_TICH": "48,5"}),
    "DAT_DAI": ("facilities", "D1.2026", {"CO_SO_VAT_CHAT_ID": "D1", "DIEN_TICH_DAT": 5200, "THOI_GIAN_SU_DUNG": 50}),
    "EQMS_DAU_NAM": ("quality-reports", "DN.2026", {"DN_DTRLOPHSS": GRADES}),
    "PHAN_CONG": ("assignments", "PC1.2026", {"PHAN_CONG_ID": "PC1", "GIAO_VIEN_ID": "GV1", "NHIEM_VU": "GIANG_DAY",
                                              "MA_LOP": "6A", "MA_MON_HOC": "TOAN", "TY_LE_BIEN_CHE": "0.5"}),
    "KHEN_THUONG_KY_LUAT": ("conduct-entries", "QD1.2026", {"QUYET_DINH_ID": "QD1", "HOC_SINH_ID": "HS1",
                                                            "LOAI": "KHEN_THUONG", "NOI_DUNG": "Học sinh giỏi"}),
    "KHAM_SUC_KHOE": ("health-checks", "HS1.2026.2026-10-05", {"HOC_SINH_ID": "HS1", "NGAY": "05/10/2026",
                                                               "CHIEU_CAO": "141,5"}),
    "TRUONG": ("profiles", "2026", {"TEN": "Trường THCS Nguyễn Du", "MA_NHOM_CAP_HOC": "03", "DIEM_TRUONGS": SITES}),
}  # fmt: skip


async def test_each_object_comes_back_and_stands_in_the_feed(here: World) -> None:
    """Typed where it is, as it came where it is not; tables of hundreds of lines too."""
    rows = [{"DOI_TUONG": kind} | ENVELOPE | fields for kind, (_, _, fields) in OBJECTS.items()]
    answer = await (await here.sync()).PushDocument(document(ndjson(rows), part=5000))

    assert [one.message for one in answer.outcome.problems] == []
    assert list(answer.outcome.states) == [ACCEPTED] * len(rows)
    kept = {kind: (await here.record(key, collection=collection)).row for kind, (collection, key, _) in OBJECTS.items()}
    assert kept["DIEM_THI_LAI"].retest.subject_marks[0].mark == 6
    assert kept["XET_TOT_NGHIEP"].graduation.graduated
    assert kept["THI_SINH_TU_DO"].exam_candidate.further["DIEM_TOAN"] == "8,25"
    assert (kept["PHONG_HOC"].facility.kind, kept["PHONG_HOC"].facility.area) == ("room", 48.5)
    assert kept["DAT_DAI"].facility.further["THOI_GIAN_SU_DUNG"] == "50"
    assert json.loads(kept["EQMS_DAU_NAM"].quality_report.further["DN_DTRLOPHSS"]) == GRADES
    assert (kept["PHAN_CONG"].staff_assignment.staff_key, kept["PHAN_CONG"].staff_assignment.post_share) == (
        "GV1.2026",
        0.5,
    )
    assert kept["KHEN_THUONG_KY_LUAT"].conduct_entry.kind == "reward"
    assert kept["KHAM_SUC_KHOE"].health_check.height == 141.5
    assert json.loads(kept["TRUONG"].school_profile.further["DIEM_TRUONGS"]) == SITES
    changes = await _changes(here, count=len(rows))
    assert {change.row.WhichOneof("record") for change in changes} == {
        row.WhichOneof("record") for row in kept.values()
    }


async def test_what_is_wrong_in_a_list_is_named_with_its_place(here: World) -> None:
    """List, place and field, as they were sent; the row beside it is stored."""
    bad = [{"DIEM_TRUONG_ID": "D1", "KHOANG_CACH_DIEM_TRUONG_CHINH": "xa"}]
    school = {"DOI_TUONG": "TRUONG", "TEN": "Trường", "MA_NHOM_CAP_HOC": "03", "DIEM_TRUONGS": bad} | ENVELOPE
    answer = await (await here.sync(language="en")).PushDocument(document(ndjson([school, moet_pupil("HS1")])))

    assert list(answer.outcome.states) == [REJECTED, ACCEPTED]
    (problem,) = answer.outcome.problems
    assert problem.field == "DIEM_TRUONGS[0].KHOANG_CACH_DIEM_TRUONG_CHINH"
    assert "Write a number" in problem.message


async def test_codes_of_catalogues_that_are_not_loaded_are_counted(here: World) -> None:
    """By object and field, in the answer and in a repeat's; the rows are stored; one that is refused does not count."""
    rows = [moet_pupil(f"HS{number}", MA_DIEN_CHINH_SACH="07", MA_LY_DO_THOI_HOC="") for number in range(3)]
    rows.append(moet_pupil("HS9", MA_DIEN_CHINH_SACH="07", NGAY_SINH="31/02/2015"))
    sync = await here.sync()
    first = await sync.PushDocument(document(ndjson(rows), batch_id="b1"))
    again = await sync.PushDocument(document(ndjson(rows), batch_id="b1"))

    assert list(first.outcome.states) == [ACCEPTED] * 3 + [REJECTED]
    assert dict(first.outcome.unverified_counts) == {"HOC_SINH.MA_DIEN_CHINH_SACH": 3}
    assert again.outcome == first.outcome


async def test_health_and_conduct_are_masked_without_a_purpose(here: World) -> None:
    """A number is left out; a text is hidden whether there is one or not, and so is what the entry is."""
    chosen = ("KHAM_SUC_KHOE", "KHEN_THUONG_KY_LUAT")
    rows = [{"DOI_TUONG": kind} | ENVELOPE | OBJECTS[kind][2] for kind in chosen]
    await (await here.sync()).PushDocument(document(ndjson(rows)))
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    stub = records_pb2_grpc.RecordsServiceStub(channel)

    def asked(kind: str) -> records_pb2.GetRecordRequest:
        return records_pb2.GetRecordRequest(collection=OBJECTS[kind][0], school=SCHOOL_A, key=OBJECTS[kind][1])

    check = (await stub.GetRecord(asked("KHAM_SUC_KHOE"))).record.row.health_check
    entry = (await stub.GetRecord(asked("KHEN_THUONG_KY_LUAT"))).record.row.conduct_entry
    assert (check.day, check.height) == ("2026-10-05", 0)
    assert (entry.kind, entry.content) == ("•••", "•••")


async def _changes(here: World, *, count: int) -> list[records_pb2.Change]:
    """The feed, once it holds as many changes."""
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    stub = records_pb2_grpc.RecordsServiceStub(channel)
    found: list[records_pb2.Change] = []

    async def there() -> bool:
        found[:] = (await stub.ListChanges(records_pb2.ListChangesRequest(unit=SCHOOL_A))).changes
        return len(found) == count

    await poll_until(there)
    return found
