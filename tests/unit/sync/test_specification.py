"""Every field of the ministry's specification below tertiary: a good value comes back, a bad one is refused by name."""

import json
from datetime import date
from importlib.resources import files
from typing import Any

import protovalidate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.checks import Check, all_problems
from services.sync.convert.rows import Unread, make
from services.sync.convert.rules import load_rules
from services.sync.domain import problems
from services.sync.domain.specification import SpecifiedField
from tests.unit.sync.test_profiles import BASE, ENVELOPE, MOET, SPECIFICATION, TABLE

RULES = load_rules().on(date(2026, 11, 2))
assert SPECIFICATION is not None
FIELDS = [field for field in SPECIFICATION.fields if field.type]
OF_A_LEVEL = {"01": "16", "02": "01", "03": "06", "04": "10"}  # A grade of each level.
GOOD = {"Boolean": "1", "Integer": "7", "Decimal": "7.5", "Date": "30/09/2015", "Enumeration": "01", "String": "x"}
ENVELOPED = ("TRUONG_ID", "TRUNG_TAM_ID", "TRƯƠNG_ID")


def _row_of(field: SpecifiedField, value: object) -> dict[str, Any]:
    """A row with a value where the specification has the field, of the level that names it."""
    row = BASE[field.kind] | ENVELOPE
    if field.level in OF_A_LEVEL and field.kind in ("HOC_SINH", "LOP", "KET_QUA", "DIEM_THI_LAI"):
        row["MA_KHOI"] = OF_A_LEVEL[field.level]
    elif field.kind in ("HOC_SINH", "LOP", "GIAO_VIEN", "TRUONG"):
        row["MA_NHOM_CAP_HOC"] = field.level
    if field.inside:
        beside = {"MA_MON_HOC": "TOAN"} if field.inside == "DIEM_MONS" and field.name != "MA_MON_HOC" else {}
        return row | {field.inside: [beside | {field.name: value}]}
    if field.name == "HOC_VIEN_ID":
        row.pop("HOC_SINH_ID", None)
    if field.name in ENVELOPED:
        row.pop("TRUONG_ID")
    return row | {field.name: value}


def _good(field: SpecifiedField) -> str:
    if field.name in ("MA_GIOI_TINH", "HOC_KY"):
        return "2"
    if field.name == "MA_NHOM_CAP_HOC":
        return field.level
    if field.name == "MA_KHOI":
        return OF_A_LEVEL.get(field.level, "01")
    if field.name == "SO_NGAY_NGHI":
        return "7"
    return GOOD[field.type] if field.type != "String" else "7" * min(field.length or 12, 12)


def _id(field: SpecifiedField) -> str:
    return f"{field.section}-{field.kind}-{field.inside}-{field.name}"


def _stated(row: Row, field: SpecifiedField) -> Any:
    """What became of a value: as it came in `further`, else the value of the typed field the profile names."""
    record = getattr(row, row.WhichOneof("record") or "")
    table = TABLE["objects"][field.kind]
    if field.inside in record.further:
        return json.loads(record.further[field.inside])[0][field.name]
    if field.name in ENVELOPED:
        return row.school.removeprefix("moet:")
    if field.name in record.further:
        return record.further[field.name]
    entry = table["fields"][field.inside or field.name]
    if field.inside:
        entry, record = entry["items"][field.name], getattr(record, entry["to"])[0]
    if entry["to"] == "id":
        return row.key.partition(".")[0]
    value = getattr(record, entry["to"])
    if entry["to"] == "stage":
        return {"CK1": "1", "CK2": "2", "CN": "3"}[value]
    if entry.get("of_year"):
        return value.removesuffix(".2026")
    if entry.get("as") == "date":
        return "/".join(reversed(value.split("-")))
    if isinstance(value, str | float | int):
        return value
    return ",".join(value)


def _wrong(row: Row | Unread, sent: dict[str, Any]) -> list[str]:
    """The fields that are wrong with a row, in its sender's names."""
    if isinstance(row, Unread):
        return [row.problem.field, *(one.field for one in row.also)]
    how = Check(
        school=lambda _school: 1,
        named=str,
        unit="",
        content=lambda _index: "",
        called=lambda _index, path: MOET.called(path, sent),
        place=problems.row_at,
        rules=RULES,
    )
    return [one.field for one in all_problems(row, protovalidate.collect_violations(row), how, 0, school=1)]


def test_all_of_the_specification_is_here() -> None:
    """1,484 fields and 73 headings of lists of sections 1 to 5, each at one place of the profile at least."""
    lines = [
        line.split("\t")
        for line in (files("services.sync") / "catalogues/qd4998.tsv").read_text("utf-8").splitlines()[1:]
    ]
    assert sum(1 for line in lines if line[5]) == 1484
    assert len(lines) - 1484 == 73
    assert {(field.section, field.name) for field in FIELDS} == {(line[0], line[4]) for line in lines if line[5]}
    every = {kind: {*TABLE["row"], *entry["fields"], *entry["further"]} for kind, entry in TABLE["objects"].items()}
    assert [field for field in FIELDS if (field.inside or field.name) not in every[field.kind]] == []


@pytest.mark.parametrize("field", FIELDS, ids=_id)
def test_a_good_value_comes_back_unchanged(field: SpecifiedField) -> None:
    """Under its object and name: as it came, or as the typed value it says."""
    good = _good(field)
    row = make(_row_of(field, good), MOET)

    assert isinstance(row, Row), row.problem.text
    stated = _stated(row, field)
    assert stated == good if isinstance(stated, str) else float(stated) == float(good)


@pytest.mark.parametrize("field", FIELDS, ids=_id)
def test_a_bad_value_is_refused_by_its_name(field: SpecifiedField) -> None:
    """Of another type, or longer than it may be."""
    bad: object = {"x": 1}
    if field.type in ("Boolean", "Integer", "Decimal", "Date"):
        bad = "không phải giá trị"
    elif field.type == "String" and field.length:
        bad = "7" * (field.length + 1)
    sent = _row_of(field, bad)

    assert (f"{field.inside}[0].{field.name}" if field.inside else field.name) in _wrong(make(sent, MOET), sent)


def test_a_field_that_no_list_has_is_refused_with_its_place() -> None:
    """As an unknown field of a row is."""
    row = make(BASE["TRUONG"] | ENVELOPE | {"DIEM_TRUONGS": [{"TEN": "Thôn 2"}, {"TEN_DIEM": "Thôn 3"}]}, MOET)

    assert isinstance(row, Unread)
    assert (row.problem.reason, row.problem.field) == ("UNKNOWN_FIELD", "DIEM_TRUONGS[1].TEN_DIEM")


def test_the_level_of_a_row_chooses_what_may_stand_in_it() -> None:
    """A pupil's code is at most 15 letters in lower secondary schools and 20 in primary ones."""
    long = BASE["HOC_SINH"] | ENVELOPE | {"HOC_SINH_ID": "7" * 18}

    assert isinstance(make(long | {"MA_KHOI": "01"}, MOET), Row)
    refused = make(long | {"MA_KHOI": "06"}, MOET)
    assert isinstance(refused, Unread)
    assert refused.problem.text.en.endswith("Write at most 15 characters.")


def test_codes_that_no_catalogue_has_are_kept_and_counted() -> None:
    """Those of a catalogue that is not loaded, and those an open one does not know; never those it knows."""
    sent = BASE["HOC_SINH"] | ENVELOPE
    sent |= {"MA_DIEN_CHINH_SACH": "07", "MA_LY_DO_THOI_HOC": "99", "MA_LOAI_KHUYET_TAT": "1", "MA_DAN_TOC": "01"}
    row = make(sent, MOET)

    assert isinstance(row, Row)
    assert (row.pupil.policy_group, row.pupil.leaving_reason) == ("07", "99")
    assert sorted(MOET.unverified(sent)) == ["HOC_SINH.MA_DIEN_CHINH_SACH", "HOC_SINH.MA_LY_DO_THOI_HOC"]


@given(st.sampled_from(FIELDS), st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60))
def test_no_text_is_changed_or_lost_in_silence(field: SpecifiedField, text: str) -> None:
    """Whatever is written in a field the core does not have comes back letter for letter, or is refused by name."""
    if field.name not in TABLE["objects"][field.kind]["further"] or field.inside:
        return
    sent = _row_of(field, text)
    row = make(sent, MOET)

    if isinstance(row, Row):
        assert _stated(row, field) == text
    else:
        assert row.problem.field == field.name
