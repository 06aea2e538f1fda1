"""What seems wrong with a whole file: found where it is so, and not where it is an everyday change."""

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.suspicions import Fact, Found, Held, SuspicionKind, read_rules, suspicions, unknown_classes

(RULE,) = read_rules(json.loads((files("services.sync") / "rules/suspicions.json").read_text(encoding="utf-8")))
NAMES = [f"Nguyễn Văn {letter}" for letter in "ABCDEĐGHIKLM"]


def pupils(names: list[str], **fields: Any) -> list[Fact]:
    """The pupils of a class in the order of a file."""
    return [
        Fact("6A", number + 2, "pupils", f"HS{number}.2026", group="6A.2026", name=name, **fields)
        for number, name in enumerate(names)
    ]


def held(names: list[str], **fields: Any) -> dict[tuple[str, str], Held]:
    """The same as they are held."""
    return {("pupils", f"HS{number}.2026"): Held(name=name, **fields) for number, name in enumerate(names)}


def kinds(facts: list[Fact], **found: Any) -> list[SuspicionKind]:
    """What is suspected."""
    told: dict[str, Any] = {"school_year": 2026, "source": "file"}
    return [one.kind for one in suspicions(Found(facts=facts, **(told | found)), RULE)]


@pytest.mark.parametrize("step", [1, -1])
def test_names_one_row_off_are_suspected(step: int) -> None:
    """Whichever way they were pasted."""
    shifted = NAMES[step:] + NAMES[:step]
    assert kinds(pupils(shifted), held=held(NAMES)) == [SuspicionKind.SHIFTED_ROWS]


def test_marks_one_row_off_are_suspected() -> None:
    """Names stand right, the marks beside them do not."""
    marks = [(f"TOAN:{number}",) for number in range(12)]
    facts = [
        Fact("Điểm", at + 2, "results", f"HS{at}.2026.CK1", values=marks[at - 1] if at else ("TOAN:9.5",))
        for at in range(12)
    ]
    kept = {("results", f"HS{at}.2026.CK1"): Held(values=marks[at]) for at in range(12)}
    assert kinds(facts, held=kept) == [SuspicionKind.SHIFTED_ROWS]


@given(st.permutations(range(12)), st.integers(0, 3))
def test_an_order_of_its_own_and_a_few_corrections_are_no_shift(order: list[int], corrected: int) -> None:
    """Rows say their own names whatever their order is; some that were corrected say new ones."""
    facts = pupils(NAMES)
    changed = [
        Fact(
            "6A",
            at + 2,
            "pupils",
            facts[one].key,
            group="6A.2026",
            name="Lê Mới" if at < corrected else facts[one].name,
        )
        for at, one in enumerate(order)
    ]
    assert kinds(changed, held=held(NAMES)) == []


def test_a_year_that_the_file_says_itself_is_compared() -> None:
    """In its head, or row by row."""
    facts = pupils(NAMES)
    assert kinds(facts, above=["DANH SÁCH NĂM HỌC 2025 - 2026"]) == [SuspicionKind.WRONG_SCHOOL_YEAR]
    assert kinds(facts, above=["Năm học 2026-2027", "2025-2026"]) == []
    assert kinds(pupils(NAMES, year=2025)) == [SuspicionKind.WRONG_SCHOOL_YEAR]


def test_pupils_who_all_stay_in_their_grade_are_last_years_list() -> None:
    """Most move up; a few stay."""
    before = {f"HS{number}": "06" for number in range(12)}
    assert kinds(pupils(NAMES, grade="06"), grades_before=before) == [SuspicionKind.WRONG_SCHOOL_YEAR]
    assert kinds(pupils(NAMES, grade="07"), grades_before=before) == []


def test_another_schools_file_is_known_by_its_head_or_its_codes() -> None:
    """A class of new pupils in a large school is not another school's file."""
    others = {"truong th anh duong": "Trường TH Ánh Dương"}
    named: dict[str, Any] = {"own_names": ("Trường THCS Nguyễn Du",), "other_names": others}
    facts = pupils(NAMES)
    assert kinds(facts, above=["TRƯỜNG TH ÁNH DƯƠNG"], **named) == [SuspicionKind.OTHER_SCHOOL]
    assert kinds(facts, above=["Trường THCS Nguyễn Du và Trường TH Ánh Dương"], **named) == []
    strangers = {("pupils", f"X{number}.2026"): Held() for number in range(12)}
    assert kinds(facts, held=strangers) == [SuspicionKind.OTHER_SCHOOL]
    assert kinds(facts, held={("pupils", f"X{number}.2026"): Held() for number in range(500)}) == []


def test_much_that_disappears_is_asked_about_and_a_little_is_not() -> None:
    """Only of a file that is said to be complete, and of what its own source has: these would be deleted."""
    owned = {"pupils": {f"HS{number}.2026" for number in range(12)}}

    def lacking(number: int) -> list[SuspicionKind]:
        return kinds(pupils(NAMES[:number]), held=held(NAMES), owned=owned, there={"pupils": keys(number)})

    def keys(number: int) -> set[str]:
        return {f"HS{one}.2026" for one in range(number)}

    assert lacking(6) == [SuspicionKind.MASS_DISAPPEARANCE]
    assert lacking(11) == []
    assert kinds(pupils(NAMES[:6]), held=held(NAMES)) == []
    found = Found(2026, "file", held=held(NAMES, source="vnedu"), owned={"pupils": keys(7)}, there={"pupils": keys(1)})
    (asked,) = suspicions(found, RULE)
    assert "thiếu 6 trong 7 học sinh mà nguồn “file”" in asked.text.vi
    assert asked.examples == tuple(sorted(keys(7) - keys(1)))


def test_classes_that_nobody_sent_are_named_by_sheet() -> None:
    """Neither those that are held nor those that the file brings itself; a pupil without a class is of none."""
    beside = [
        Fact("6B", 2, "pupils", "HS20.2026", group="6B.2026", year=2026),
        Fact("6B", 3, "pupils", "HS21.2026", group="6C.2026", year=2026),
        Fact("6B", 4, "pupils", "HS22.2026", year=2026),
        Fact("Lớp", 2, "classes", "6B.2026", year=2026),
    ]
    facts = [*pupils(NAMES, year=2026), *beside]
    assert unknown_classes(Found(2026, "file", facts=facts)) == {"6A": ["6A"], "6B": ["6C"]}
    assert unknown_classes(Found(2026, "file", facts=facts, classes={"6A.2026", "6C.2026"})) == {}


def test_a_file_that_empties_a_school_is_asked_about_however_small_it_is() -> None:
    """All of three pupils is more than a few of many; two of them are an everyday change."""
    owned = {"pupils": {f"HS{number}.2026" for number in range(3)}}
    emptied = kinds([], held=held(NAMES[:3]), owned=owned, there={"pupils": set()})
    assert emptied == [SuspicionKind.MASS_DISAPPEARANCE]
    assert kinds([], held=held(NAMES[:3]), owned=owned, there={"pupils": {"HS0.2026"}}) == []


def test_whatever_disappears_is_asked_about_where_a_sheet_could_not_be_read() -> None:
    """It may stand there; where nothing disappears there is nothing to ask."""
    owned = {"pupils": {f"HS{number}.2026" for number in range(12)}}
    there = {"pupils": owned["pupils"] - {"HS3.2026"}}
    found = Found(2026, "file", owned=owned, there=there, unread=["6B", "Ghi chú"])
    (asked,) = suspicions(found, RULE)
    assert (asked.kind, asked.examples) == (SuspicionKind.UNREAD_SHEETS, ("HS3.2026",))
    assert "không đọc được trang “6B”, “Ghi chú”. 1 học sinh" in asked.text.vi
    assert kinds([], owned=owned, there=owned, unread=["6B"]) == []


def test_an_old_file_is_suspected_by_its_versions() -> None:
    """Within one source: another's versions say nothing."""
    facts = pupils(NAMES, version=3)
    assert kinds(facts, held=held(NAMES, version=9, source="file")) == [SuspicionKind.MASS_STALENESS]
    assert kinds(facts, held=held(NAMES, version=9, source="vnedu")) == []
    assert kinds(facts, held=held(NAMES, version=3, source="file")) == []
