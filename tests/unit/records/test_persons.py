"""Whose records are: what links two, what contradicts, and what is left to people."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.persons import (
    Known,
    Linked,
    LinkRule,
    Traits,
    alike,
    contradict,
    firm_ministry_code,
    firm_personal_id,
    link,
)

BORN = date(2014, 3, 9)
PID, OTHER_PID = "049214000123", "049214000456"
CODE, OTHER_CODE = "2149000123", "2149000456"


def record(key: str = "1", **said: object) -> Traits:
    """A pupil's record in school 1."""
    values: dict[str, object] = {
        "school_id": 1,
        "type": 4,
        "deleted": False,
        "school_year": 2026,
        "in_stock": True,
        "secondary": False,
        "name": "nguyen van hoa",
        "birth_date": BORN,
        "sex": "1",
        "mother": "",
        "personal_id": "",
        "ministry_code": "",
    }
    return Traits(key=key, **(values | said))  # type: ignore[arg-type]  # names and types are those above


def persons(*records: Traits, previous: dict[str, str] | None = None) -> list[tuple[int, LinkRule | None]]:
    """Who each record is and why, linked one after the other."""
    before = {(1, 4, key): [(1, 4, old)] for key, old in (previous or {}).items()}
    return [(one.person_id, one.rule) for one in link(records, Known(), former=before)]


@pytest.mark.parametrize(
    ("text", "sex", "born", "firm"),
    [
        (PID, "1", BORN, True),
        (PID, "", None, True),
        (PID, "0", BORN, True),
        (PID, "2", BORN, False),  # a man's number
        (PID, "1", date(2013, 3, 9), False),  # of another year
        ("049114000123", "2", date(1914, 3, 9), True),
        ("049014000123", "1", BORN, False),  # of another century
        ("049214000 23", "1", BORN, False),
        ("49214000123", "1", BORN, False),
        ("000000000000", "", None, False),
        ("", "1", BORN, False),
    ],
)
def test_a_personal_number_counts_where_it_can_be_this_persons(text: str, sex: str, born: date | None, firm: bool):  # noqa: FBT001
    """Twelve digits that agree with sex and year of birth."""
    assert firm_personal_id(text, birth_date=born, sex=sex) == (text if firm else "")


def test_a_temporary_code_identifies_nobody():
    """Only ten digits are the ministry's."""
    assert firm_ministry_code(CODE) == CODE
    assert [firm_ministry_code(text) for text in ("TAM-17", "", "0000000000", "21490001234")] == ["", "", "", ""]


def test_an_id_links_across_schools_where_name_or_birth_agree():
    """A corrected spelling or a mistyped birth does not make a second person."""
    assert persons(
        record("1", personal_id=PID),
        record("2", school_id=2, personal_id=PID, name="nguyen van hoan"),
        record("3", school_id=3, personal_id=PID, birth_date=date(2014, 9, 3)),
    ) == [(-1, LinkRule.FIRST), (-1, LinkRule.PERSONAL_ID), (-1, LinkRule.PERSONAL_ID)]
    assert persons(record("1", ministry_code=CODE), record("2", school_id=2, ministry_code=CODE)) == [
        (-1, LinkRule.FIRST),
        (-1, LinkRule.MINISTRY_CODE),
    ]


def test_an_id_of_quite_another_person_links_nothing():
    """It was typed in the wrong line."""
    other = record("2", school_id=2, personal_id=PID, name="le an", birth_date=date(2014, 1, 1))
    assert persons(record("1", personal_id=PID), other) == [(-1, LinkRule.FIRST), (-2, LinkRule.FIRST)]


def test_name_and_birth_link_within_a_school_from_year_to_year_only():
    """Two of one year, or of two schools, are a suspicion for a person to decide."""
    assert persons(record("1"), record("2", school_year=2025)) == [(-1, LinkRule.FIRST), (-1, LinkRule.NEXT_YEAR)]
    assert [who for who, _ in persons(record("1"), record("2"))] == [-1, -2]
    assert [who for who, _ in persons(record("1"), record("2", school_id=2, school_year=2025))] == [-1, -2]
    assert [who for who, _ in persons(record("1"), record("2", school_year=2025, sex="2"))] == [-1, -2]
    twice = record("1"), record("2"), record("3", school_year=2025)
    assert [who for who, _ in persons(*twice)] == [-1, -2, -3], "of two namesakes it cannot be told which"


def test_a_renamed_record_stays_its_persons():
    """Whatever it says now."""
    before, after = record("TAM-1"), record("HS1", name="le an", birth_date=None)
    assert persons(before, after, previous={"HS1": "TAM-1"}) == [(-1, LinkRule.FIRST), (-1, LinkRule.RENAMED)]


def test_a_record_keeps_its_person_when_it_says_something_else():
    """An id that comes later speaks for a merge, and moves nothing by itself."""
    assert persons(
        record("1", personal_id=PID), record("2", school_id=2), record("2", school_id=2, personal_id=PID)
    ) == [(-1, LinkRule.FIRST), (-2, LinkRule.FIRST), (-2, None)]


def test_a_record_that_is_gone_before_it_was_linked_is_nobodys():
    """And one that is gone later stays its person's, but links nobody else."""
    gone = record("1", deleted=True, school_year=0, name="", birth_date=None, sex="")
    assert persons(gone) == []
    assert persons(record("1", personal_id=PID), gone, record("2", school_id=2, personal_id=PID)) == [
        (-1, LinkRule.FIRST),
        (-1, None),
        (-2, LinkRule.FIRST),
    ]


def test_a_key_given_to_somebody_else_is_somebody_else():
    """The person has gone on under another key; one who comes back stays who he was."""
    gone = record("1", deleted=True, school_year=0, name="", birth_date=None, sex="")
    renamed, girl = record("HS1", personal_id=PID), record("1", name="le thi mai", birth_date=date(2014, 7, 7), sex="2")
    assert persons(record("1", personal_id=PID), renamed, gone, girl, previous={"HS1": "1"}) == [
        (-1, LinkRule.FIRST), (-1, LinkRule.RENAMED), (-1, None), (-2, LinkRule.FIRST)
    ]  # fmt: skip
    assert persons(record("1"), gone, record("1", sex="")) == [(-1, LinkRule.FIRST), (-1, None), (-1, None)]


def test_a_record_that_says_the_same_again_is_no_change():
    """Its class or address may have changed: nothing is decided anew."""
    assert persons(record("1"), record("1"), record("1", in_stock=False)) == [(-1, LinkRule.FIRST), (-1, None)]


RECORDS = st.builds(
    record,
    st.sampled_from("abc"),
    school_id=st.sampled_from([1, 2]),
    school_year=st.sampled_from([2025, 2026]),
    name=st.sampled_from(["le an", "tran binh"]),
    birth_date=st.sampled_from([None, BORN, date(2014, 9, 3)]),
    sex=st.sampled_from(["", "1", "2"]),
    personal_id=st.sampled_from(["", PID, OTHER_PID]),
    ministry_code=st.sampled_from(["", CODE, OTHER_CODE]),
)


@given(st.lists(RECORDS, max_size=12))
def test_windows_of_any_size_link_alike(records: list[Traits]):
    """What is linked in one transaction or in several ends the same."""
    at_once = link(records, Known(), former={})
    held: dict[tuple[int, int, str], Linked] = {}
    one_by_one, fresh = [], 0
    for one in records:
        for found in link([one], Known(held.values()), former={}):
            if found.rule is LinkRule.FIRST:
                fresh -= 1
            whose = fresh if found.rule is LinkRule.FIRST else found.person_id
            held[one.identity] = Linked(one, whose)
            one_by_one.append(found._replace(person_id=whose))
    assert one_by_one == at_once


@given(RECORDS, RECORDS)
def test_likeness_is_mutual_and_never_of_what_contradicts(one: Traits, other: Traits):
    """It does not matter which record came first."""
    assert alike(one, other) == alike(other, one)
    assert contradict(one, other) == contradict(other, one)
    assert not (alike(one, other) and contradict(one, other))


@given(st.lists(RECORDS, max_size=12))
def test_no_link_by_id_joins_what_contradicts(records: list[Traits]):
    """The record it was linked by agrees with it."""
    seen: dict[tuple[int, int, str], Traits] = {}
    owners: dict[tuple[int, int, str], int] = {}
    for one in link(records, Known(), former={}):
        if one.rule in (LinkRule.PERSONAL_ID, LinkRule.MINISTRY_CODE):
            fellows = [seen[identity] for identity, person in owners.items() if person == one.person_id]
            assert any(alike(one.traits, fellow) for fellow in fellows)
        seen[one.traits.identity], owners[one.traits.identity] = one.traits, one.person_id
