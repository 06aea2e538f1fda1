"""Broken rules in words, masked rows, and states by the clock."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor
from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1.resources_pb2 import Row

from services.sync.domain.batches import MOST_ROWS, Origin, cuts, request_id
from services.sync.domain.codes import unknown_code
from services.sync.domain.connections import Connection, State, window
from services.sync.domain.explain import Violation, explain, said
from services.sync.domain.fields import FIELDS, described
from services.sync.domain.masking import masked
from services.sync.domain.problems import Called, Problem, own, unknown_object, unknown_school
from services.sync.domain.profiles import Shown
from services.sync.domain.words import HIDDEN, Text, is_code, same

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def ruled(message: Descriptor, inside: str) -> Iterator[str]:
    """The path of every field of a row that has a rule."""
    for field in message.fields:
        path = f"{inside}{field.name}"
        if field.GetOptions().HasExtension(validate_pb2.field):
            yield path
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from ruled(field.message_type, f"{path}.")


@pytest.mark.parametrize("path", sorted(set(ruled(Row.DESCRIPTOR, ""))))
def test_every_ruled_field_is_explained(path: str) -> None:
    """A new rule in the protos needs its words here, in both languages."""
    leaf = path.rpartition(".")[2]
    assert leaf in FIELDS or ".".join(path.split(".")[-2:]) in FIELDS
    assert all([*described(path).called, *described(path).wanted])


@pytest.mark.parametrize("rule", ["string.min_len", "string.max_len", "string.pattern", "int32.gte_lte", "int64.gt"])
def test_every_kind_of_rule_has_words(rule: str) -> None:
    """None falls back on the general ones."""
    assert said(rule) != said("unheard.of")


def test_the_most_important_violation_is_the_problem() -> None:
    """What places the row comes first; of the others it is said why, too."""
    problem = explain(
        [
            Violation("pupil.grade", "string.pattern", "44"),
            Violation("key", "string.min_len"),
            Violation("pupil.sex", "string.pattern", "x"),
        ],
        called=own,
    )
    assert (problem.reason, problem.field) == ("INVALID_FIELD", "key")
    first, _, others = problem.text.vi.partition(" Ngoài ra còn sai: ")
    assert first.endswith("không đổi và không dùng lại.")
    assert others.startswith("grade (khối) “44” không đúng dạng. Hãy ghi")
    assert others.endswith("sex (giới tính) “x” không đúng dạng. Hãy ghi 0 chưa rõ, 1 nam hoặc 2 nữ.")
    assert problem.text.en.endswith(" sex “x” has not the right form. Write 0 unknown, 1 male or 2 female.")


def test_of_many_wrong_fields_the_first_are_explained_and_the_others_named() -> None:
    """Each once, and no more of them than people read."""
    others = [Problem("R", f"F{number}", Text(f"F{number} sai.", f"F{number} is wrong.")) for number in range(12)]
    problem = Problem("R", "F0", Text("F0 sai.", "F0 is wrong.")).beside([*others, others[1]])
    assert problem.text.vi == (
        "F0 sai. Ngoài ra còn sai: F1 sai. F2 sai. F3 sai."
        " Cũng sai: F4, F5, F6, F7, F8, F9, F10 và 1 trường dữ liệu khác."
    )
    assert problem.text.en.endswith("Wrong as well: F4, F5, F6, F7, F8, F9, F10 and 1 more.")


def test_the_senders_name_and_value_are_told() -> None:
    """As the sender wrote them, not as we read them."""
    violation = Violation("result.subject_marks[2].mark", "double.gte_lte", "12")
    called = Called("DIEM_MONS[2].DIEM", Text("DIEM (Điểm)", "DIEM (mark)"), same("0-10"), written="12,0")
    problem = explain([violation], called=lambda _path: called)
    assert problem.field == "DIEM_MONS[2].DIEM"
    assert problem.text == Text(
        "DIEM (Điểm) “12,0” nằm ngoài khoảng cho phép. Hãy ghi 0-10.", "DIEM (mark) “12,0” is out of range. Write 0-10."
    )


@pytest.mark.parametrize(
    ("rule", "value", "said_vi", "said_en"),
    [
        ("string.pattern", "", "còn thiếu", "is missing"),
        ("int32.gte", "0", "còn thiếu hoặc bằng 0", "is missing or 0"),
        ("string.pattern", "0", "“0” không đúng dạng", "“0” has not the right form"),
    ],
)
def test_what_is_missing_is_said_to_be_missing(rule: str, value: str, said_vi: str, said_en: str) -> None:
    """A number nobody wrote is not out of range, an empty text not of the wrong form."""
    problem = explain([Violation("pupil.grade", rule, value)], called=own)
    assert problem.text.vi.startswith(f"grade (khối) {said_vi}. Hãy ghi khối 01")
    assert problem.text.en.startswith(f"grade {said_en}. Write a grade 01")


def test_a_personal_value_is_not_repeated() -> None:
    """Neither as it was read nor as it was written."""
    called = Called("HO_TEN", same("HO_TEN"), same("x"), written="Nguyễn")
    problem = explain(
        [Violation("pupil.full_name", "string.max_len", "Nguyễn", personal=True)], called=lambda _: called
    )
    assert "Nguyễn" not in problem.text.vi + problem.text.en


CODES = ("44", "x", "CN", "CĐ", "TT27", "12,0", "6A", "10/2", "HS7001.2026", "moet:49506001", "2026-2027", "-1")
OF_PERSONS = (
    "Lê Thị Bí Mật",
    "Lan",
    "LAN",
    "dang hoc",
    "049214000123",
    "0912345678",
    "0912.345.678",
    "+84 912 345 678",
    "DN4794912345678",
    "09/03/2014",
    "2014-03-09",
    "mai2014@example.vn",
)


@pytest.mark.parametrize("value", OF_PERSONS)
def test_a_value_in_the_wrong_column_is_not_repeated(value: str) -> None:
    """Columns may be shifted: what is no code may be somebody's name or number, whatever field it stands in."""
    called = Called("MA_KHOI", same("MA_KHOI"), same("01"), written=value)
    told = [
        explain([Violation("pupil.grade", "string.pattern", value)], called=lambda _: called),
        unknown_code(called, value, known={"01": "Đang học"}),
        unknown_school(called, value),
        unknown_object("DOI_TUONG", value, ["HOC_SINH"]),
    ]
    assert all(value not in one.text.vi + one.text.en and HIDDEN in one.text.vi for one in told)
    shown: Shown = {"MA_KHOI": is_code, "MON": {"MA": is_code}, "CAC_MA": is_code}
    row = {"MA_KHOI": value, "MON": [{"MA": value}], "CAC_MA": [value, "01"]}
    assert value not in masked(json.dumps(row), shown).vi


@pytest.mark.parametrize("value", CODES)
def test_what_has_the_form_of_a_code_is_repeated(value: str) -> None:
    """So that a wrong one is seen at once."""
    called = Called("MA_KHOI", same("MA_KHOI"), same("01"), written=value)
    assert f"“{value}”" in explain([Violation("pupil.grade", "string.pattern")], called=lambda _: called).text.vi
    assert json.loads(masked(json.dumps({"a": value}), {"a": is_code}).vi) == {"a": value}


def test_masking_shows_what_is_named_and_nothing_else() -> None:
    """Nested too; an empty field stays empty."""
    row = {
        "a": "1",
        "b": "An",
        "c": "",
        "list": [{"d": 1, "e": "x"}],
        "deep": {"f": 1},
        "codes": ["01", "02"],
        "yes": True,
    }
    shown: Shown = {
        "a": is_code,
        "c": is_code,
        "list": {"d": is_code},
        "deep": is_code,
        "codes": is_code,
        "yes": is_code,
    }
    assert json.loads(masked(json.dumps(row), shown).vi) == {
        "a": "1",
        "b": HIDDEN,
        "c": "",
        "list": [{"d": 1, "e": HIDDEN}],
        "deep": HIDDEN,
        "codes": ["01", "02"],
        "yes": True,
    }
    assert "Nguyễn" not in masked('{"HO_TEN": "Nguyễn', {"HO_TEN": is_code}).vi
    assert masked('["Nguyễn"]', {}) == same(HIDDEN)


@given(st.integers(0, 24 * 30 * 60))
def test_states_and_windows_agree(minutes: int) -> None:
    """A connection lies in the window of its state and in no other."""
    last = NOW - timedelta(minutes=minutes)
    connection = Connection(1, True, last, last, "x", 1, 0, NOW)
    inside = []
    for state in State:
        after, until = window(state, NOW)
        if (after is None or last > after) and (until is None or last <= until) and (after or until):
            inside.append(state)
    assert inside == [connection.state(NOW)]


@given(st.lists(st.integers(1, 3_000_000), max_size=50))
def test_cuts_carry_every_row_once_and_within_bounds(sizes: list[int]) -> None:
    """In order, none left out; a run is small enough, or a single row."""
    runs = list(cuts(sizes))
    assert [place for start, end in runs for place in range(start, end)] == list(range(len(sizes)))
    assert all(end - start == 1 or sum(sizes[start:end]) <= 8_000_000 for start, end in runs)
    assert [end - start for start, end in cuts([1] * 12_000)] == [MOST_ROWS, MOST_ROWS, 2_000]


def test_a_request_id_follows_from_what_is_sent() -> None:
    """The same slice has the same id; another source, number or choice of rows another."""
    origin = Origin("moet:1", 1, "vnedu", backfill=False, profile="iocedu")
    other = Origin("moet:1", 1, "smas", backfill=False, profile="iocedu")
    first = request_id(origin, batch=b"b", number=0, refused=[3])
    assert first == request_id(origin, batch=b"b", number=0, refused=[3])
    assert len(first) <= 128
    ids = {
        first,
        request_id(other, batch=b"b", number=0, refused=[3]),
        request_id(origin, batch=b"c", number=0, refused=[3]),
        request_id(origin, batch=b"b", number=1, refused=[3]),
        request_id(origin, batch=b"b", number=0, refused=[]),
    }
    assert len(ids) == 5
