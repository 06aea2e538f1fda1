"""What is sent of a record is what its source said, in the ministry's names; both sides digest it alike."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2

from services.sync.convert.outgoing import compose, form_of, noted_rows
from services.sync.convert.packages import Head, Item, record_events, typed_package, without_records
from services.sync.convert.profiles import load_profiles
from services.sync.convert.rows import make
from services.sync.domain.composing import CompositionError, digest_of
from services.sync.domain.destinations import ExchangeForm, Kind
from simulators.ministry import packages
from simulators.ministry.store import digest_of as digest_there

FORM = form_of(Kind.MINISTRY)
MOET = load_profiles()["moet"]
_UUID = UUID(int=7)
_HEAD = Head(_UUID, "49506001", 7, "03", 2026, 8, datetime(2026, 11, 2, tzinfo=UTC))
ENVELOPE = {"TRUONG_ID": "49506001", "NAM_HOC": "2026-2027", "PHIEN_BAN": "3"}
SENT: dict[str, dict[str, Any]] = {
    "TRUONG": {
        "TEN": "Trường THCS Nguyễn Du",
        "MA_NHOM_CAP_HOC": "02,03",
        "IS_DAT_CHUAN_QG": "1",
        "IS_2_BUOI_NGAY": "0",
    },
    "GIAO_VIEN": {"GIAO_VIEN_ID": "GV1", "HO_TEN": "Trần Thị Bình", "NGAY_SINH": "20/11/1985", "EMAIL": "b@a.vn"},
    "LOP": {
        "MA": "6A",
        "TEN": "6A",
        "MA_KHOI": "06",
        "MA_NHOM_CAP_HOC": "03",
        "GIAO_VIEN_ID": "GV1",
        **dict.fromkeys(("IS_DAY_2_BUOI_NGAY", "IS_LOP_GHEP", "IS_BAN_TRU"), "0"),
    },
    "HOC_SINH": {
        "HOC_SINH_ID": "HS1",
        "HO_TEN": "Nguyễn Văn Hòa <em> & chị",
        "NGAY_SINH": "09/03/2015",
        "MA_LOP": "6A",
        "MA_KHOI": "06",
        "MA_NHOM_CAP_HOC": "03",
        "MA_TRANG_THAI_HIEN_TAI": "01",
        "TEN_ME": "Trần Thị Lan",
    },
    "KET_QUA": {
        "HOC_SINH_ID": "HS1",
        "GIAI_DOAN": "CK1",
        "SO_NGAY_NGHI": "0",
        "IS_LEN_LOP": "0",
        "DIEM_MONS": [{"MA_MON_HOC": "TOAN", "DIEM": "8.5", "DIEM_TX": "8; 9.5"}, {"MA_MON_HOC": "GDTC", "MUC": "Đ"}],
    },
}


def row_of(kind: str, **more: Any) -> resources_pb2.Row:
    """A row as it is stored."""
    row = make(SENT[kind] | ENVELOPE | {"DOI_TUONG": kind} | more, MOET)
    assert isinstance(row, resources_pb2.Row)
    return row


async def noted(row: resources_pb2.Row) -> Any:
    """What is noted of a change."""
    number = resources_pb2.Row.DESCRIPTOR.fields_by_name[str(row.WhichOneof("record"))].number - 9
    change = records_pb2.Change(school_id=7, position=5, row=row, type=number)  # type: ignore[arg-type]
    (one,) = await noted_rows(FORM, [change])
    return one


@pytest.mark.parametrize("kind", sorted(SENT))
async def test_what_the_ministrys_names_brought_in_goes_out_under_them(kind: str) -> None:
    """The profile read backwards: the envelope apart, every field is what it was."""
    one = await noted(row_of(kind))

    assert compose(FORM, one[1], one[-1], key=one[2]) == SENT[kind]


@pytest.mark.parametrize("kind", sorted(SENT))
async def test_the_simulator_reads_what_was_composed_and_digests_it_alike(kind: str) -> None:
    """Through XML, with letters that XML keeps for itself: else nothing could be compared."""
    one = await noted(row_of(kind))
    content = compose(FORM, one[1], one[-1], key=one[2])
    item = Item(_UUID, one[1], one[2], "NEW", 5, 5, content)

    read = packages.read(typed_package(_HEAD, [item]))

    assert read.records[0].content == content
    assert digest_there(read.records[0].content) == digest_of(content)


@pytest.mark.parametrize("kind", sorted(SENT))
async def test_events_bring_the_same_fields_and_digest(kind: str) -> None:
    """Whichever form a destination speaks, it holds the same of a record: both can be compared, and one can follow."""
    one = await noted(row_of(kind))
    content = compose(FORM, one[1], one[-1], key=one[2])

    read = packages.read_events(
        record_events(_HEAD, [Item(_UUID, one[1], one[2], "UPDATE", 5, 5, content)], data_set=kind)
    )

    assert (read.school, read.level, read.year, read.data_set) == ("49506001", "03", "2026", kind)
    (event,) = read.records
    assert (event.id, event.event, event.version, event.content) == (str(_UUID), "UPDATE", 5, content)
    assert digest_there(event.content) == digest_of(content)


def test_an_event_says_when_in_the_time_of_schools() -> None:
    """An instant at night in UTC is the next day here."""
    head = replace(_HEAD, at=datetime(2026, 11, 2, 18, tzinfo=UTC))
    body = json.loads(record_events(head, [Item(_UUID, 4, "HS1.2026", "CANCEL", 6, 6, {})], data_set="HOC_SINH"))

    (event,) = body["BanGhi"]
    assert (event["ThoiGianCapNhat"], event["NgayCapNhat"]) == ("2026-11-03T01:00:00+07:00", "2026-11-03")


def test_an_erased_record_leaves_an_open_package_of_events_and_a_cancellation_stays() -> None:
    """As from typed packages: what says that a record is gone says nothing of it."""
    items = [
        Item(
            UUID(int=number), 4, f"HS{number}.2026", event, 5, 5, {"HO_TEN": f"A{number}"} if event != "CANCEL" else {}
        )
        for number, event in enumerate(["NEW", "UPDATE", "CANCEL", "NEW"])
    ]
    body = record_events(_HEAD, items, data_set="HOC_SINH")
    left, taken_out, kept = without_records(ExchangeForm.RECORD_EVENTS, body, {str(UUID(int=n)) for n in (0, 1, 2)})

    assert (taken_out, kept) == (2, 2)
    assert left == record_events(_HEAD, items[2:], data_set="HOC_SINH")


@given(st.dictionaries(st.sampled_from(["TEN_ME", "NOI_SINH", "TEN_CHA"]), st.text(min_size=1, max_size=30)))
def test_any_text_is_sent_as_it_is_or_refused_by_name(further: dict[str, str]) -> None:
    """No text is altered in silence but for line ends; one that XML cannot hold is refused with its field."""
    pupil = resources_pb2.Pupil(school_year=2026, full_name="A", status="01", further=further)
    row = resources_pb2.Row(key="HS1.2026", pupil=pupil).SerializeToString()
    if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "".join(further.values())):
        with pytest.raises(CompositionError) as refused:
            compose(FORM, 4, row, key="HS1.2026")

        assert refused.value.reason == "UNWRITABLE_CHARACTER"
        assert refused.value.field in further
        return
    content = compose(FORM, 4, row, key="HS1.2026")
    read = packages.read(typed_package(_HEAD, [Item(_UUID, 4, "HS1.2026", "NEW", 1, 1, content)]))

    assert read.records[0].content == content


async def test_a_new_version_with_the_same_content_is_noted_as_the_same() -> None:
    """What only its source counts is no change out there."""
    assert (await noted(row_of("HOC_SINH")))[-1] == (await noted(row_of("HOC_SINH", PHIEN_BAN="9")))[-1]
    assert (await noted(row_of("HOC_SINH")))[-1] != (await noted(row_of("HOC_SINH", HO_TEN="Khác")))[-1]


@pytest.mark.parametrize(("status", "counts"), [("01", True), ("06", True), ("05", False), ("04", False)])
async def test_only_who_studies_counts_for_results(status: str, *, counts: bool) -> None:
    """By the statuses that the table names."""
    one = await noted(row_of("HOC_SINH", MA_TRANG_THAI_HIEN_TAI=status))

    assert one[9] is counts


async def test_each_result_has_the_record_type_of_its_stage() -> None:
    """The bits of the observed interface."""
    stages = {"GK1": 128, "CK1": 256, "GK2": 512, "CK2": 1024, "CN": 8192}
    found = {stage: (await noted(row_of("KET_QUA", GIAI_DOAN=stage)))[5] for stage in stages}

    assert found == stages


async def test_subscribers_are_noted_nothing_but_a_digest() -> None:
    """What is told by its name alone is not kept a second time."""
    row = row_of("HOC_SINH")
    change = records_pb2.Change(school_id=7, position=5, row=row, type=resources_pb2.OBJECT_TYPE_PUPIL)
    (one,) = await noted_rows(form_of(Kind.WEBHOOK), [change])

    assert len(one[-1]) == 32
