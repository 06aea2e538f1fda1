"""Profiles: nothing is lost, nothing is guessed, everything is explained."""

import json
from importlib.resources import files
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1.resources_pb2 import Pupil, Row
from iocedu.records.v1.results_pb2 import QualityLevel, Result, SubjectMark

from services.sync.convert.documents import read_line
from services.sync.convert.profiles import load_profiles, load_specification
from services.sync.convert.rows import Unread, make
from services.sync.domain.documents import Line
from services.sync.domain.profiles import Profile
from services.sync.domain.tables import TableProfile
from tests.unit.sync.test_values import JSON

PROFILES = load_profiles()
MOET, OWN = PROFILES["moet"], PROFILES["iocedu"]
TABLE: dict[str, Any] = json.loads((files("services.sync") / "profiles" / "moet.json").read_text("utf-8"))
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(
    lambda text: text == text.strip() != ""
)
SPECIFICATION = load_specification(TABLE)
assert SPECIFICATION is not None
# The shortest text that some section takes, and the fields that take any text of 20 letters.
MOST = {
    one.name: one.length
    for one in sorted(SPECIFICATION.fields, key=lambda one: -one.length)
    if one.length and not one.inside
}
FREE_TEXTS = {
    one.kind: {
        other.name
        for other in SPECIFICATION.fields
        if other.kind == one.kind and other.type == "String" and MOST.get(other.name, 20) >= 20
    }
    - {other.name for other in SPECIFICATION.fields if other.kind == one.kind and other.type not in ("String", "")}
    for one in SPECIFICATION.fields
}
BASE: dict[str, dict[str, Any]] = {
    "HOC_SINH": {"DOI_TUONG": "HOC_SINH", "HOC_SINH_ID": "HS1"},
    "GIAO_VIEN": {"DOI_TUONG": "GIAO_VIEN", "GIAO_VIEN_ID": "GV1"},
    "LOP": {"DOI_TUONG": "LOP", "MA": "6A"},
    "TRUONG": {"DOI_TUONG": "TRUONG"},
    "KET_QUA": {"DOI_TUONG": "KET_QUA", "HOC_SINH_ID": "HS1", "GIAI_DOAN": "CN"},
    "DIEM_DANH": {"DOI_TUONG": "DIEM_DANH", "MA_LOP": "6A", "NGAY": "02/11/2026", "BUOI": "1"},
    "DIEM_THI_LAI": {"DOI_TUONG": "DIEM_THI_LAI", "HOC_SINH_ID": "HS1"},
    "XET_TOT_NGHIEP": {"DOI_TUONG": "XET_TOT_NGHIEP", "HOC_SINH_ID": "HS1"},
    "THI_SINH_TU_DO": {"DOI_TUONG": "THI_SINH_TU_DO", "HOC_SINH_ID": "TS1", "HO_TEN": "Nguyễn An"},
    "DAT_DAI": {"DOI_TUONG": "DAT_DAI", "CO_SO_VAT_CHAT_ID": "D1"},
    "PHONG_HOC": {"DOI_TUONG": "PHONG_HOC", "CO_SO_VAT_CHAT_ID": "P1"},
    "EQMS_DAU_NAM": {"DOI_TUONG": "EQMS_DAU_NAM"},
    "EQMS_GIUA_NAM": {"DOI_TUONG": "EQMS_GIUA_NAM"},
    "EQMS_CUOI_NAM": {"DOI_TUONG": "EQMS_CUOI_NAM"},
    "PHAN_CONG": {"DOI_TUONG": "PHAN_CONG", "PHAN_CONG_ID": "PC1", "GIAO_VIEN_ID": "GV1", "NHIEM_VU": "CHU_NHIEM"},
    "KHEN_THUONG_KY_LUAT": {
        "DOI_TUONG": "KHEN_THUONG_KY_LUAT",
        "QUYET_DINH_ID": "QD1",
        "HOC_SINH_ID": "HS1",
        "LOAI": "KHEN_THUONG",
    },
    "KHAM_SUC_KHOE": {"DOI_TUONG": "KHAM_SUC_KHOE", "HOC_SINH_ID": "HS1", "NGAY": "02/11/2026"},
}
KEYS = {
    "HOC_SINH": "HS1.2026",
    "GIAO_VIEN": "GV1.2026",
    "LOP": "6A.2026",
    "TRUONG": "2026",
    "KET_QUA": "HS1.2026.CN",
    "DIEM_DANH": "6A.2026.2026-11-02.1",
    "DIEM_THI_LAI": "HS1.2026",
    "XET_TOT_NGHIEP": "HS1.2026",
    "THI_SINH_TU_DO": "TS1.2026",
    "DAT_DAI": "D1.2026",
    "PHONG_HOC": "P1.2026",
    "EQMS_DAU_NAM": "DN.2026",
    "EQMS_GIUA_NAM": "GN.2026",
    "EQMS_CUOI_NAM": "CN.2026",
    "PHAN_CONG": "PC1.2026",
    "KHEN_THUONG_KY_LUAT": "QD1.2026",
    "KHAM_SUC_KHOE": "HS1.2026.2026-11-02",
}
ENVELOPE = {"TRUONG_ID": "49506001", "NAM_HOC": "2026-2027", "PHIEN_BAN": "3"}


@pytest.mark.parametrize("kind", sorted(BASE))
def test_every_object_has_its_key(kind: str) -> None:
    """Made from the sender's own, with the year."""
    row = make(BASE[kind] | ENVELOPE, MOET)
    assert isinstance(row, Row)
    assert (row.school, row.key, row.version) == ("moet:49506001", KEYS[kind], 3)
    assert row.WhichOneof("record") == TABLE["objects"][kind]["record"]


@pytest.mark.parametrize(("kind", "name"), [("HOC_SINH", "HOC_SINH_ID_TRUOC"), ("GIAO_VIEN", "GIAO_VIEN_ID_TRUOC")])
def test_a_changed_code_tells_the_key_it_made_before(kind: str, name: str) -> None:
    """Made as keys are, so that it is the key of the record pushed under the old code."""
    row = make(BASE[kind] | ENVELOPE | {name: "TAM-1"}, MOET)
    assert isinstance(row, Row)
    assert (row.key, row.previous_key) == (KEYS[kind], "TAM-1.2026")


@given(st.data())
def test_nothing_of_a_row_is_lost(data: st.DataObject) -> None:
    """Every text of a row, in whatever field the table names, is in our row: in its core field or as it came."""
    kind = data.draw(st.sampled_from(sorted(BASE)))
    entry = TABLE["objects"][kind]
    special = {"as", "items", "fallback"}
    plain = {name: one for name, one in entry["fields"].items() if special.isdisjoint(one)}
    free = [name for name, one in plain.items() if "values" not in one and name not in BASE[kind]]
    kept = [name for name in entry["further"] if name in FREE_TEXTS.get(kind, ())]
    free = [name for name in free if name not in MOST or MOST[name] >= 20]
    names = data.draw(st.lists(st.sampled_from([*free, *kept]), unique=True) if free or kept else st.just([]))
    written = {name: data.draw(WORDS) for name in names}
    row = make(BASE[kind] | ENVELOPE | written, MOET)
    assert isinstance(row, Row)
    record = getattr(row, entry["record"])
    for name, text in written.items():
        if name in plain:
            suffix = ".2026" if plain[name].get("of_year") else ""
            into = row if plain[name]["to"] == "previous_key" else record
            assert getattr(into, plain[name]["to"]) == text + suffix
        else:
            assert record.further[name] == text


def test_lists_beyond_the_core_are_kept_as_json() -> None:
    """What the specification nests comes out again."""
    rewards = [{"NOI_DUNG": "Học sinh giỏi", "GHI_CHU": "cấp tỉnh"}]
    row = make(BASE["HOC_SINH"] | ENVELOPE | {"LIST_KHEN_THUONG": rewards, "CAN_NANG": 32.0}, MOET)
    assert isinstance(row, Row)
    assert json.loads(row.pupil.further["LIST_KHEN_THUONG"]) == rewards
    assert row.pupil.further["CAN_NANG"] == "32"


def test_marks_are_numbers_or_levels() -> None:
    """With point or comma; what is no number is the level of a subject assessed by comment."""
    marks = [
        {"MA_MON_HOC": "TOAN", "DIEM": "8,5"},
        {"MA_MON_HOC": "GDTC", "DIEM": "Đ"},
        {"MA_MON_HOC": "NT", "MUC": "CĐ"},
    ]
    row = make(BASE["KET_QUA"] | ENVELOPE | {"DIEM_MONS": marks, "IS_LEN_LOP": ""}, MOET)
    assert isinstance(row, Row)
    assert list(row.result.subject_marks) == [
        SubjectMark(subject="TOAN", mark=8.5),
        SubjectMark(subject="GDTC", level="Đ"),
        SubjectMark(subject="NT", level="CĐ"),
    ]
    assert not row.result.HasField("promoted")


def test_a_result_has_component_marks_and_the_outcome_of_the_summer() -> None:
    """Regular marks in a list or a text; a re-test brings a mark or a level."""
    marks = [
        {"MA_MON_HOC": "TOAN", "DIEM_TX": [8, "8,5"], "DIEM_GK": 7, "DIEM_CK": "6,5", "DIEM_THI_LAI": 5},
        {"MA_MON_HOC": "GDTC", "DIEM_TX": "9; 8,5", "DIEM_THI_LAI": "Đ"},
    ]
    sent = {
        "DIEM_MONS": marks,
        "IS_REN_LUYEN_LAI": "1",
        "MA_HOC_LUC_THI_LAI": "D",
        "MA_HANH_KIEM_REN_LUYEN_LAI": "K",
        "PHAM_CHAT_NANG_LUCS": [{"MA": "YEU_NUOC", "MUC": "T"}],
    }
    row = make(BASE["KET_QUA"] | ENVELOPE | sent, MOET)
    assert isinstance(row, Row)
    assert list(row.result.subject_marks) == [
        SubjectMark(subject="TOAN", regular_marks=[8, 8.5], midterm_mark=7, final_mark=6.5, retest_mark=5),
        SubjectMark(subject="GDTC", regular_marks=[9, 8.5], retest_level="Đ"),
    ]
    assert (row.result.retraining, row.result.learning_after_retest, row.result.conduct_after_retraining) == (
        True,
        "D",
        "K",
    )
    assert list(row.result.qualities) == [QualityLevel(quality="YEU_NUOC", level="T")]


def test_regular_marks_that_are_no_numbers_are_named() -> None:
    """In their list."""
    unread = make(BASE["KET_QUA"] | ENVELOPE | {"DIEM_MONS": [{"MA_MON_HOC": "T", "DIEM_TX": ["tám"]}]}, MOET)
    assert isinstance(unread, Unread)
    assert unread.problem.field == "DIEM_MONS[0].DIEM_TX"
    assert "[8, 8.5]" in unread.problem.text.vi


def test_a_term_stands_for_a_stage_where_that_is_left_out() -> None:
    """`HOC_KY` is the specification's; where both are given the stage counts and the term is kept."""
    bare = {name: one for name, one in BASE["KET_QUA"].items() if name != "GIAI_DOAN"}
    row = make(bare | ENVELOPE | {"HOC_KY": "1"}, MOET)
    assert isinstance(row, Row)
    assert row.result.stage == "CK1"
    both = make(bare | ENVELOPE | {"HOC_KY": "1", "GIAI_DOAN": "GK1"}, MOET)
    assert isinstance(both, Row)
    assert (both.result.stage, dict(both.result.further)) == ("GK1", {"HOC_KY": "1"})


@pytest.mark.parametrize(
    ("changed", "reason", "field", "said"),
    [
        ({"HO_TENN": "A"}, "UNKNOWN_FIELD", "HO_TENN", "“HO_TEN”"),
        ({"ho_ten": "A"}, "UNKNOWN_FIELD", "ho_ten", "“HO_TEN”"),
        ({"DOI_TUONG": "HOCSINH"}, "INVALID_FIELD", "DOI_TUONG", "“HOC_SINH”"),
        ({"DOI_TUONG": None}, "INVALID_FIELD", "DOI_TUONG", "TRUONG"),
        ({"NGAY_SINH": 41980}, "INVALID_DATE", "NGAY_SINH", "dd/mm/yyyy"),
        ({"NGAY_SINH": "9.3"}, "INVALID_DATE", "NGAY_SINH", "dd/mm/yyyy"),
        ({"NGAY_SINH": "31/02/2015"}, "INVALID_DATE", "NGAY_SINH", "dd/mm/yyyy"),
        ({"PHIEN_BAN": "mới"}, "INVALID_FIELD", "PHIEN_BAN", "PHIEN_BAN"),
        ({"PHIEN_BAN": 10**30}, "INVALID_FIELD", "PHIEN_BAN", "PHIEN_BAN"),
        ({"HOC_SINH_ID": ""}, "INVALID_FIELD", "HOC_SINH_ID", "HOC_SINH_ID"),
        ({"HO_TEN": ["A"]}, "INVALID_FIELD", "HO_TEN", "HO_TEN"),
        ({"TRUONG_ID": ["A"]}, "INVALID_FIELD", "TRUONG_ID", "TRUONG_ID"),
    ],
)
def test_what_cannot_be_read_is_named(changed: dict[str, Any], reason: str, field: str, said: str) -> None:
    """Reason, exact field, and the sender's own name for it."""
    unread = make(BASE["HOC_SINH"] | ENVELOPE | changed, MOET)
    assert isinstance(unread, Unread)
    assert (unread.problem.reason, unread.problem.field) == (reason, field)
    assert said in unread.problem.text.vi


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PHIEN_BAN": 2**63}, "từ 1 đến 4611686018427387904"),
        ({"THU_TU": 99999999999, "MA_KHOI": "01"}, "không quá 10 chữ số"),
        ({"NAM_HOC": 99999999}, "đến 2100-2101"),
    ],
)
def test_a_number_that_is_too_large_is_told_the_limit(changed: dict[str, Any], said: str) -> None:
    """It can be read; what it may not be over is what helps."""
    unread = make(BASE["LOP"] | ENVELOPE | changed, MOET)
    assert isinstance(unread, Unread)
    assert said in unread.problem.text.vi
    assert "không đọc được" not in unread.problem.text.vi


def test_a_name_has_one_limit_whether_it_is_missing_or_too_long() -> None:
    """The specification's, which is narrower than our own field's; too long is not unreadable."""
    unread = make(BASE["HOC_SINH"] | ENVELOPE | {"HO_TEN": "A" * 51}, MOET)
    assert isinstance(unread, Unread)
    assert "dài quá mức cho phép" in unread.problem.text.vi
    assert "50 ký tự" in unread.problem.text.vi
    missing = MOET.called("pupil.full_name", BASE["HOC_SINH"] | ENVELOPE | {"HO_TEN": ""})
    assert missing.wanted.vi == "từ 1 đến 50 ký tự"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (BASE["HOC_SINH"] | ENVELOPE | {"NGAY_SINH": "31/02/2015"}, "HS1.2026"),
        (BASE["HOC_SINH"] | ENVELOPE | {"HO_TENN": "A", "XX": "B", "HO_TEN": []}, "HS1.2026"),
        (BASE["KET_QUA"] | ENVELOPE | {"DIEM_MONS": [{"MON": "VAN"}]}, "HS1.2026.CN"),
        (BASE["DIEM_DANH"] | ENVELOPE | {"SI_SO": "x"}, "6A.2026.2026-11-02.1"),
        (BASE["DIEM_DANH"] | ENVELOPE | {"NGAY": "31/11/2026"}, "6A.2026"),
        (BASE["HOC_SINH"] | {"NGAY_SINH": "x"}, "HS1"),
        (BASE["HOC_SINH"] | ENVELOPE | {"NAM_HOC": "26-27"}, "HS1"),
        (BASE["HOC_SINH"] | ENVELOPE | {"HOC_SINH_ID": ""}, ""),
    ],
)
def test_a_row_that_cannot_be_read_has_its_key_as_far_as_it_can_be_made(row: dict[str, Any], key: str) -> None:
    """The documented one wherever code and school year stand there."""
    unread = make(row, MOET)
    assert isinstance(unread, Unread)
    assert unread.key == key


@pytest.mark.parametrize(
    ("profile", "row", "fields"),
    [
        (MOET, BASE["HOC_SINH"] | ENVELOPE | {"XX": 1, "NGAY_SINH": 3, "YY": 2}, ["XX", "NGAY_SINH", "YY"]),
        (MOET, BASE["KET_QUA"] | ENVELOPE | {"DIEM_MONS": [{"MON": 1}], "XX": 1}, ["DIEM_MONS[0].MON", "XX"]),
        (OWN, {"x": 1, "pupil": {"birthDate": 3, "y": 1}, "z": 1}, ["x", "pupil.birth_date", "pupil.y", "z"]),
        (OWN, {"pupil": "An", "version": "mới"}, ["pupil", "version"]),
        (MOET, BASE["HOC_SINH"] | ENVELOPE | {f"X{number}": 1 for number in range(5000)}, [f"X{n}" for n in range(11)]),
    ],
)
def test_all_that_cannot_be_read_is_named(profile: Profile, row: dict[str, Any], fields: list[str]) -> None:
    """In its order, the first with what to do, the others beside it, up to ten."""
    unread = make(row, profile)
    assert isinstance(unread, Unread)
    assert [unread.problem.field, *(one.field for one in unread.also)] == fields


def test_a_field_and_a_school_have_different_names() -> None:
    """“Trường” alone is a school; a field is a “trường dữ liệu”."""
    unread = make(BASE["HOC_SINH"] | ENVELOPE | {"XYZQW": "1"}, MOET)
    assert isinstance(unread, Unread)
    assert unread.problem.text.vi == (
        "Không có trường dữ liệu “XYZQW” trong bộ tên (profile). "
        "Hãy bỏ trường dữ liệu này hoặc chọn đúng bộ tên (profile)."
    )


def test_fields_inside_a_list_have_their_path() -> None:
    """By the place in the list."""
    unread = make(BASE["KET_QUA"] | ENVELOPE | {"DIEM_MONS": [{"MA_MON_HOC": "TOAN"}, {"MON": "VAN"}]}, MOET)
    assert isinstance(unread, Unread)
    assert (unread.problem.reason, unread.problem.field) == ("UNKNOWN_FIELD", "DIEM_MONS[1].MON")


def test_every_personal_field_is_hidden_and_every_core_field_is_known() -> None:
    """What the protos class as personal is not shown by any profile; `further` never is."""
    assert isinstance(MOET, TableProfile)
    for name in ("HO_TEN", "NGAY_SINH", "MA_DAN_TOC", "SO_CMTND", "MA_CONG_DAN_ID", "TEN_ME", "MA_LOAI_KHUYET_TAT"):
        assert not MOET.shown.get(name)
    pupil = OWN.shown["pupil"]
    assert isinstance(pupil, dict)
    assert set(pupil) >= {"grade", "status", "class_key", "school_year"}
    assert not {"full_name", "fullName", "birth_date", "personal_id", "further"} & set(pupil)


ROWS = st.builds(
    Row,
    school=WORDS,
    key=WORDS,
    version=st.integers(-(2**63), 2**63 - 1),
    deleted=st.booleans(),
).flatmap(
    lambda row: st.one_of(
        st.builds(
            Pupil,
            school_year=st.integers(-(2**31), 2**31 - 1),
            full_name=st.text(st.characters(codec="utf-8")),
            grade=WORDS,
            further=st.dictionaries(WORDS, st.text(st.characters(codec="utf-8"))),
        ).map(lambda pupil: Row(school=row.school, key=row.key, version=row.version, pupil=pupil)),
        st.builds(
            Result,
            absent_days=st.integers(-5, 500),
            promoted=st.none() | st.booleans(),
            subject_marks=st.lists(
                st.builds(
                    SubjectMark,
                    subject=WORDS,
                    mark=st.none() | st.floats(allow_nan=False, allow_infinity=False),
                    regular_marks=st.lists(st.floats(0, 10)),
                    retest_mark=st.none() | st.floats(0, 10),
                )
            ),
        ).map(lambda result: Row(school=row.school, key=row.key, deleted=row.deleted, result=result)),
    )
)


@given(ROWS, st.booleans())
def test_our_own_names_lose_nothing(row: Row, snake: bool) -> None:  # noqa: FBT001
    """Proto JSON, in either spelling, through text and back, is the same row."""
    text = json.dumps(MessageToDict(row, preserving_proto_field_name=snake), ensure_ascii=False)
    assert read_line(Line(1, text.encode()), OWN).row == row


@given(
    st.sampled_from(sorted(PROFILES)), st.dictionaries(st.text() | st.sampled_from(["pupil", "key", "school"]), JSON)
)
def test_any_object_is_read_or_explained(profile: str, raw: dict[str, Any]) -> None:
    """Never a crash, never a row out of nothing."""
    made = make(raw, PROFILES[profile])
    assert isinstance(made, Row) or (made.problem.reason and made.problem.text.vi)


@given(st.data())
def test_any_value_in_any_field_is_read_or_explained(data: st.DataObject) -> None:
    """Whatever a sender puts into a field the table knows."""
    kind = data.draw(st.sampled_from(sorted(BASE)))
    entry = TABLE["objects"][kind]
    name = data.draw(st.sampled_from([*entry["fields"], *entry["further"], "TRUONG_ID", "PHIEN_BAN", "DA_XOA"]))
    made = make(BASE[kind] | ENVELOPE | {name: data.draw(JSON)}, MOET)
    assert isinstance(made, Row) or (made.problem.reason and made.problem.text.vi and made.problem.field)


@given(st.binary() | st.text().map(str.encode))
def test_any_line_is_read_or_explained(content: bytes) -> None:
    """Bytes of any kind."""
    made = read_line(Line(7, content), MOET).row
    assert isinstance(made, Unread)
    assert made.problem.text.vi
