"""What a sender calls our fields: the name that is in the row, with its place and its meaning."""

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.profiles import load_profiles
from services.sync.domain.problems import own
from services.sync.domain.retelling import Told, retell
from services.sync.domain.words import NO_WORDS, same
from tests.unit.sync.test_profiles import BASE, ENVELOPE, TABLE

MOET = load_profiles()["moet"]
MARKS = [{"MA_MON_HOC": "TOAN", "DIEM": "8,5"}, {"MA_MON_HOC": "GDTC", "DIEM": "rất giỏi"}, {"MUC": "Đ"}]


@pytest.mark.parametrize(
    ("kind", "more", "path", "field", "written"),
    [
        ("HOC_SINH", {"NGAY_SINH": "09/03/2015"}, "pupil.birth_date", "NGAY_SINH", "09/03/2015"),
        ("HOC_SINH", {}, "pupil.birth_date", "NGAY_SINH", ""),
        ("HOC_SINH", {}, "school", "TRUONG_ID", "49506001"),
        ("HOC_SINH", {"TRUONG_ID": "", "TRUNG_TAM_ID": "7"}, "school", "TRUNG_TAM_ID", "7"),
        ("HOC_SINH", {}, "version", "PHIEN_BAN", "3"),
        ("HOC_SINH", {}, "pupil.school_year", "NAM_HOC", "2026-2027"),
        ("HOC_SINH", {}, "key", "HOC_SINH_ID", ""),
        ("HOC_SINH", {}, "record", "DOI_TUONG", ""),
        ("HOC_SINH", {"MA_LOP": "6A"}, "pupil.class_key", "MA_LOP", "6A"),
        ("HOC_SINH", {"MA_NHOM_CAP_HOC": "9"}, "pupil.level", "MA_NHOM_CAP_HOC", "9"),
        ("HOC_SINH", {"MA_KHOI": "44"}, "pupil.level", "MA_KHOI", "44"),
        ("HOC_SINH", {"TEN_ME": "x"}, 'pupil.further["TEN_ME"]', "TEN_ME", "x"),
        ("TRUONG", {"MA_NHOM_CAP_HOC": "02,9"}, "school_profile.levels[1]", "MA_NHOM_CAP_HOC", "02,9"),
        ("KET_QUA", {}, "result.stage", "GIAI_DOAN", "CN"),
        ("KET_QUA", {"GIAI_DOAN": "", "HOC_KY": "4"}, "result.stage", "HOC_KY", "4"),
        ("KET_QUA", {"DIEM_MONS": MARKS}, "result.subject_marks", "DIEM_MONS", ""),
        ("KET_QUA", {"DIEM_MONS": MARKS}, "result.subject_marks[0].mark", "DIEM_MONS[0].DIEM", "8,5"),
        ("KET_QUA", {"DIEM_MONS": MARKS}, "result.subject_marks[1].level", "DIEM_MONS[1].DIEM", "rất giỏi"),
        ("KET_QUA", {"DIEM_MONS": MARKS}, "result.subject_marks[0].regular_marks[1]", "DIEM_MONS[0].DIEM_TX", ""),
        ("KET_QUA", {"DIEM_MONS": MARKS}, "result.subject_marks[2].level", "DIEM_MONS[2].MUC", "Đ"),
        ("KET_QUA", {"DIEM_MONS": MARKS}, "result.subject_marks[2].subject", "DIEM_MONS[2].MA_MON_HOC", ""),
    ],
)
def test_a_field_is_called_as_it_was_sent(kind: str, more: dict[str, Any], path: str, field: str, written: str) -> None:
    """Of several names the one that was used; what follows from another field is said of that one."""
    called = MOET.called(path, BASE[kind] | ENVELOPE | more)
    assert (called.field, called.written) == (field, written)
    assert all([*called.label, *called.wanted])


def test_no_name_of_ours_is_ever_told_of_a_row_in_the_ministrys_names() -> None:
    """Whatever field of the core it is, list or not, given or not."""

    def paths(message: Descriptor, inside: str) -> list[str]:
        found = []
        for field in message.fields:
            path = f"{inside}{field.name}"
            found.append(path)
            if field.message_type is not None and not field.message_type.GetOptions().map_entry:
                found += paths(field.message_type, f"{path}[0]." if field.is_repeated else f"{path}.")
        return found

    by_record = {entry["record"]: kind for kind, entry in TABLE["objects"].items()}
    for record, kind in by_record.items():
        message = Row.DESCRIPTOR.fields_by_name[record].message_type
        assert message is not None
        for path in ["school", "key", "version", "deleted", "record", *paths(message, f"{record}.")]:
            if path.endswith(".further"):
                continue
            called = MOET.called(path, BASE[kind] | ENVELOPE)
            assert called.field.upper() == called.field, (path, called)
            assert called.field


def test_the_forms_are_the_senders() -> None:
    """Dates as the ministry writes them, a code without our prefix or our year."""
    raw = BASE["HOC_SINH"] | ENVELOPE
    assert "dd/mm/yyyy" in MOET.called("pupil.birth_date", raw).wanted.vi
    assert "2026-2027" in MOET.called("pupil.school_year", raw).wanted.en
    assert "59" in MOET.called("pupil.class_key", raw).wanted.en
    assert MOET.called("pupil.birth_date", raw).label.en == "NGAY_SINH (date of birth)"
    assert MOET.called("pupil.birth_date", raw).reason == "INVALID_DATE"


@pytest.mark.parametrize(
    ("reason", "field", "metadata", "told"),
    [
        ("OTHER_SOURCE", "key", {"source": "smas"}, "“smas”"),
        ("VERSION_REUSED", "version", {}, "“3”"),
        ("NOT_A_SCHOOL", "school", {"kind": "commune"}, "commune"),
        ("DUPLICATE_KEY", "key", {"first_index": "0"}, "dòng 1"),
        ("ROW_TOO_LARGE", "record", {"size": "300000", "limit": "200000"}, "300000"),
        ("UNKNOWN_UNIT", "school", {}, "TRUONG_ID"),
        ("INVALID_TEXT", "pupil", {}, "NUL"),
        ("INVALID_DATE", "pupil.birth_date", {}, "NGAY_SINH"),
        ("UNHEARD_OF", "pupil.grade", {}, "as records says it"),
        ("DUPLICATE_KEY", "key", {}, "as records says it"),
    ],
)
def test_what_records_refuses_is_retold(reason: str, field: str, metadata: dict[str, str], told: str) -> None:
    """In the sender's names, with what it is about; a reason that is not known here keeps its words."""
    raw = BASE["HOC_SINH"] | ENVELOPE
    said = Told(0, reason, field, same("as records says it"), 3, metadata)
    twin = same("dòng 1") if metadata.get("first_index") else NO_WORDS
    problem = retell(said, school="moet:1", key="HS1.2026", called=lambda path: MOET.called(path, raw), twin=twin)
    assert told in problem.text.vi
    assert problem.field.upper() == problem.field
    assert "`" not in problem.text.vi + problem.text.en
    ours = retell(said, school="moet:1", key="HS1.2026", called=own, twin=twin)
    assert ours.field == field
