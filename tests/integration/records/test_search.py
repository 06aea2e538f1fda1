"""People and units are found as staff type them, best match first, within the caller's units, masked and on record."""

from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2, search_pb2, search_pb2_grpc

from chassis.errors import Fault, Kind
from chassis.testing import client
from services.records.store import search, terms
from services.records.usecases import search as usecase
from tests.integration.records.scenes import (
    COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    Running,
    gone,
    pupil,
    reason,
)

RULE = search_pb2.MatchRule


async def service(records: Running, subject: str = "admin@so", *, language: str = "vi") -> Any:
    """SearchService as a subject calls it."""
    opening = client(records.address, records.keys.mint(subject), language=language)
    channel = await records.stack.enter_async_context(opening)
    return search_pb2_grpc.SearchServiceStub(channel)


def ask(query: str = "", **fields: Any) -> search_pb2.SearchPeopleRequest:
    """A search of pupils in the province."""
    return search_pb2.SearchPeopleRequest(**({"unit": PROVINCE, "collection": "pupils", "query": query} | fields))


async def found(records: Running, query: str = "", **fields: Any) -> list[tuple[str, str]]:
    """Key and rule of each hit, page by page."""
    stub = await service(records)
    hits: list[tuple[str, str]] = []
    token = ""
    while True:
        answer = await stub.SearchPeople(ask(query, page_token=token, **fields))
        assert not answer.too_many
        hits += [(hit.record.row.key, RULE.Name(hit.rule).removeprefix("MATCH_RULE_")) for hit in answer.hits]
        token = answer.next_page_token
        if not token:
            return hits


@pytest.fixture(params=[False, True], ids=["nothing known", "frequencies known"])
async def known(request: pytest.FixtureRequest) -> Any:
    """Whether the database has counted its terms, by which the way is chosen: hits must not depend on it."""
    counted = request.param

    async def count(records: Running) -> None:
        if counted:
            async with records.database.connection() as connection:
                await connection.exec_driver_sql("ANALYZE pupil")
                await connection.exec_driver_sql("ANALYZE staff_member")

    return count


async def test_better_rules_come_first_and_equal_ones_in_vietnamese_order(records: Running, known: Any):
    """Exact, then whole words, beginnings, parts, a wrong letter; tones as typed lead, then the given name decides."""
    names = {
        "exact": "Trần Hoà",
        "words": "Hòa Trần Anh",
        "words-a": "Trần Hoa Ánh",
        "prefix": "Trần Hoàng",
        "part": "Trần Khoa",
        "typo": "Trần Hoe",
        "none": "Lê Văn Tám",
    }
    await records.apply(*(pupil(key, full_name=name) for key, name in names.items()))
    await known(records)
    assert await found(records, "tran hòa") == [
        ("exact", "EXACT"),
        ("words", "WORDS"),
        ("words-a", "WORDS"),
        ("prefix", "PREFIX"),
        ("part", "PART"),
        ("typo", "TYPO"),
    ]
    assert [rule for _, rule in await found(records, "hoa tran")][:3] == ["WORDS"] * 3
    assert [key for key, _ in await found(records, "trần hoa")][:1] == ["exact"]


async def test_ids_find_their_record_whole_or_by_the_last_digits_beside_a_name(records: Running, known: Any):
    """The ministry's code, the personal number and the key; three last digits, no more."""
    await records.apply(
        pupil("HS1", ministry_code="2149000777", personal_id="049214000123"),
        pupil("HS2", ministry_code="2149000888", personal_id="049214999124"),
    )
    await known(records)
    for typed in ("2149000777", "049214000123", "HS1", "hs1"):
        assert await found(records, typed) == [("HS1", "ID")]
        assert await found(records, id=typed) == [("HS1", "ID")]
    assert await found(records, "hoa 888") == [("HS2", "WORDS")]
    assert await found(records, "hoa", id_ending="124") == [("HS2", "WORDS")]
    assert await found(records, "hoa 2149000777") == [("HS1", "ID")]
    assert await found(records, "lan 2149000777") == []
    assert await found(records, "14000123") == []
    with pytest.raises(Fault) as error:
        await found(records, "hoa", id_ending="0123")
    assert error.value.violations[0].field == "id_ending"


async def test_people_found_say_their_class_by_its_name(records: Running):
    """The record names a key; where the school has not sent the class there is no name, nor is it another school's."""
    group = resources_pb2.SchoolClass(school_year=2026, name="6/1", grade="06", level="03")
    await records.apply(
        resources_pb2.Row(school=SCHOOL_A, key="L1", version=1, school_class=group),
        pupil("1", class_key="L1"),
        pupil("2", class_key="L2"),
        pupil("3", class_key="L1", school=SCHOOL_B),
    )
    hits = (await (await service(records)).SearchPeople(ask("hoa"))).hits
    assert {hit.record.row.key: hit.class_name for hit in hits} == {"1": "6/1", "2": "", "3": ""}


async def test_conditions_narrow_by_birth_class_grade_level_status_year_and_school(records: Running, known: Any):
    """Typed in the line or given beside it; alone they find what they hold for."""
    school_class = resources_pb2.Row(
        school=SCHOOL_A,
        key="L1",
        version=1,
        school_class=resources_pb2.SchoolClass(school_year=2026, name="6/1", grade="06", level="03"),
    )
    await records.apply(
        school_class,
        pupil("1", class_key="L1"),
        pupil("2", birth_date="2015-03-09", class_key="7B", grade="07", school_year=2025),
        pupil("3", birth_date="", status="05", level="02", grade="05", school=SCHOOL_B),
    )
    await known(records)
    for query, fields, keys in (
        ("hoa 9/3/2014", {}, "1"),
        ("hoa 2015", {}, "2"),
        ("hoa", {"birth_year": 2014}, "1"),
        ("hoa", {"birth_date": "2015-03-09"}, "2"),
        ("hoa 6/1", {}, "1"),
        ("hoa", {"class_name": "7b"}, "2"),
        ("hoa", {"grade": "07"}, "2"),
        ("hoa", {"level": "02"}, "3"),
        ("hoa", {"status": "05"}, "3"),
        ("hoa", {"school_year": 2026}, "13"),
        ("hoa", {"unit": SCHOOL_B}, "3"),
        ("hoa", {"unit": COMMUNE}, "123"),
        ("hoa 2014 2015", {}, ""),
    ):
        hits = await found(records, query, **fields)
        assert sorted(key for key, _ in hits) == sorted(keys), (query, fields)
    assert await found(records, "2015") == [("2", "CONDITIONS")]
    assert await found(records, unit=SCHOOL_B, status="05") == [("3", "CONDITIONS")]


async def test_a_beginning_that_only_one_word_has_finds_it(records: Running):
    """No word is as typed, and only one begins so."""
    await records.apply(pupil("1", full_name="Lê Thịnh"))
    assert await found(records, "le thin") == [("1", "PREFIX")]
    assert await found(records, "l hinh") == []
    assert await found(records, "le hin") == [("1", "PART")]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("van an", [("an", "PREFIX"), ("part", "PART")]),  # Nguyễn Văn Bé has Văn alone
        ("han anh", [("hanh", "PART"), ("an", "TYPO")]),  # and Lê Hạnh one word that holds both
        ("be beo", []),
        ("be bez", []),
    ],
)
async def test_each_word_typed_is_a_word_of_its_own(records: Running, typed: str, expected: list[tuple[str, str]]):
    """A word of the name stands for one of those typed, not for two."""
    names = {
        "an": "Lê Văn Anh",
        "part": "Phan Khoan Van",
        "one": "Nguyễn Văn Bé",
        "hanh": "Lý Hạnh Khanh",
        "h": "Lê Hạnh",
    }
    await records.apply(*(pupil(key, full_name=name) for key, name in names.items()))
    assert await found(records, typed) == expected


async def test_who_has_a_word_twice_is_found_with_one_of_them_mistyped(records: Running):
    """What is meant may be the word beside it again, where the name holds it again."""
    names = {"side": "Trần Trân", "apart": "Trần Thị Trân", "once": "Trần Thị Bé"}
    await records.apply(*(pupil(key, full_name=name) for key, name in names.items()))
    assert sorted(await found(records, "tran trann")) == [("apart", "TYPO"), ("side", "TYPO")]


async def test_staff_are_found_in_their_own_collection(records: Running):
    """The same rules over another table; pupils are not among them."""
    staff = resources_pb2.StaffMember(
        school_year=2026, full_name="Phạm Thị Hoà", birth_date="1980-02-01", status="01", personal_id="049180000321"
    )
    row = resources_pb2.Row(school=SCHOOL_A, key="GV1", version=1, staff_member=staff)
    await records.apply(row, pupil("1"))
    for query in ("pham hoa", "hoaf thi pham", "pham 1980", "049180000321", "pham 321"):
        assert [key for key, _ in await found(records, query, collection="staff")] == ["GV1"]
    with pytest.raises(Fault) as error:
        await found(records, "hoa", collection="staff", grade="06")
    assert error.value.violations[0].field == "grade"


async def test_hits_are_masked_and_each_search_is_written_down(records: Running):
    """As GetRecord without a purpose; also when nobody was found."""
    await records.apply(pupil("1", personal_id="049214000123"))
    stub = await service(records)
    (hit,) = (await stub.SearchPeople(ask("nguyen van hoa"))).hits
    shown = hit.record.row.pupil
    assert hit.record.masked
    assert (shown.birth_date, shown.ethnic_group, shown.personal_id) == ("2014", "•••", "•••••••••123")
    assert hit.school_name == "Trường THCS Nguyễn Du"
    await stub.SearchPeople(ask("khong co ai"))
    log = await records.rows("SELECT subject, method, collection, record_count FROM access_log ORDER BY entry_id")
    assert log == [("admin@so", "SearchPeople", "pupils", 1), ("admin@so", "SearchPeople", "pupils", 0)]


async def test_nobody_outside_the_unit_and_nobody_deleted_is_found(records: Running, known: Any):
    """Neither by name nor by id; a foreign unit is not searched at all."""
    await records.apply(pupil("1"), pupil("2", school=SCHOOL_B, personal_id="049214000999"), pupil("3"))
    await records.apply(gone("3", 2))
    await known(records)
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    stub = await service(records, "head@a")
    for query, keys in (("hoa", ["1"]), ("049214000999", []), ("2", []), ("hoa 999", [])):
        answer = await stub.SearchPeople(ask(query, unit=SCHOOL_A))
        assert [hit.record.row.key for hit in answer.hits] == keys
    with pytest.raises(Fault) as error:
        await stub.SearchPeople(ask("hoa", unit=COMMUNE))
    assert (error.value.kind, reason(error)) == (Kind.DENIED, "NO_GRANT")


async def test_pages_hold_each_hit_once_and_in_order_across_rules(records: Running, known: Any):
    """Whatever the size of a page, the pages are the whole list."""
    names = ("Lê An", "Lê Văn An", "Lê Anh", "Lê Lan", "Lê Ân", "Lê Am")
    await records.apply(*(pupil(f"{number:02}", full_name=names[number % 6]) for number in range(30)))
    await known(records)
    whole = await found(records, "le an", page_size=100)
    assert len(whole) == 30
    for size in (1, 4, 7):
        assert await found(records, "le an", page_size=size) == whole


async def test_a_page_holds_the_best_rule_that_finds_any_and_the_next_goes_on(records: Running):
    """Whoever finds the name asked for waits for no weaker rule."""
    await records.apply(pupil("1", full_name="Lê An"), pupil("2", full_name="Lê Anh"))
    stub = await service(records)
    first = await stub.SearchPeople(ask("le an"))
    assert [hit.record.row.key for hit in first.hits] == ["1"]
    second = await stub.SearchPeople(ask("le an", page_token=first.next_page_token))
    assert [hit.record.row.key for hit in second.hits] == ["2"]


async def test_too_many_are_said_and_what_is_exact_is_still_given(records: Running, monkeypatch: pytest.MonkeyPatch):
    """Asked for more words in the caller's language; a word more, a smaller unit or a year is enough."""
    monkeypatch.setattr(search, "MOST_CANDIDATES", 5)
    rows = [pupil(f"{number}", full_name=f"Lê {middle} An") for number, middle in enumerate(("Văn", "Bá") * 4)]
    await records.apply(*rows, pupil("x", full_name="Lê An"), pupil("y", school=SCHOOL_B, full_name="Lê Tú An"))
    stub = await service(records)
    answer = await stub.SearchPeople(ask("le an"))
    assert answer.too_many
    assert [hit.record.row.key for hit in answer.hits] == ["x"]
    assert "gõ thêm" in answer.advice
    english = await service(records, language="en")
    assert "Add a word" in (await english.SearchPeople(ask("le an"))).advice
    assert len(await found(records, "le ba an")) == 4
    assert (await stub.SearchPeople(ask(birth_date="2014-03-09"))).too_many
    assert (await stub.SearchPeople(ask("le", unit=SCHOOL_B))).hits[0].record.row.key == "y"


@pytest.mark.parametrize(
    ("query", "reported"), [("", "NOTHING_ASKED"), ("- %", "NOTHING_ASKED"), ("an 31/2/2014", "INVALID_DATE")]
)
async def test_an_empty_question_and_an_impossible_date_are_refused(records: Running, query: str, reported: str):
    """By name of the field."""
    with pytest.raises(Fault) as error:
        await found(records, query)
    assert (error.value.violations[0].field, error.value.violations[0].reason) == ("query", reported)


async def test_signs_of_the_query_language_are_only_signs(records: Running):
    """Nor does a mark of the index pass for a word."""
    await records.apply(pupil("1"), pupil("2", full_name="Lê x%_\\ An"))
    assert [key for key, _ in await found(records, "x%_\\ an")] == ["2"]
    for typed in ("a%", "_n", "@a", "/06", "~2026", "#3", "p123", "'a", '"a', "{an}"):
        assert "1" not in [key for key, rule in await found(records, typed) if rule not in ("ID", "TYPO")]


@pytest.mark.parametrize("table", terms.LOOKUPS)
async def test_the_terms_of_queries_are_those_of_the_index(records: Running, table: str):
    """A query that spells them otherwise would go through every row."""
    question = f"SELECT FROM {table} WHERE NOT deleted AND {terms.LOOKUPS[table].terms} @> '{{an}}'"
    async with records.database.transaction() as connection:
        await search.prepare(connection)
        plan = [str(row[0]) for row in await connection.exec_driver_sql(f"EXPLAIN {question}")]
    assert any(f"{table}_terms" in line for line in plan)
    assert not any("Filter" in line for line in plan)


async def test_units_are_found_by_name_or_code_with_what_is_above_them(records: Running):
    """In memory, by the same rules; kinds and the unit narrow."""
    stub = await service(records)

    async def units(query: str, **fields: Any) -> list[tuple[str, str]]:
        request = search_pb2.SearchUnitsRequest(**({"unit": PROVINCE, "query": query} | fields))
        hits = (await stub.SearchUnits(request)).hits
        return [(hit.aliases[0], RULE.Name(hit.rule).removeprefix("MATCH_RULE_")) for hit in hits]

    assert await units("nguyen du") == [(SCHOOL_A, "WORDS")]
    assert await units("Du Nguyễn THCS") == [(SCHOOL_A, "WORDS")]
    assert await units("ngyen du") == [(SCHOOL_A, "TYPO")]
    assert await units("moet:b") == [(SCHOOL_B, "ID")]
    assert await units("20335") == [(COMMUNE, "ID")]
    assert await units("phuong tam ky") == [(COMMUNE, "EXACT")]
    assert await units("truong", kinds=["commune"]) == []
    assert await units("nguyen du", unit=SCHOOL_B) == []
    assert [alias for alias, _ in await units("truong")] == [SCHOOL_B, SCHOOL_A]
    first = await stub.SearchUnits(search_pb2.SearchUnitsRequest(unit=PROVINCE, query="truong", page_size=1))
    request = search_pb2.SearchUnitsRequest(
        unit=PROVINCE, query="truong", page_size=1, page_token=first.next_page_token
    )
    second = await stub.SearchUnits(request)
    assert [hit.aliases[0] for hit in (*first.hits, *second.hits)] == [SCHOOL_B, SCHOOL_A]
    assert not second.next_page_token
    assert list(second.hits[0].above) == ["Phường Tam Kỳ", "Thành phố Đà Nẵng"]


def test_a_school_narrows_by_the_index_and_a_province_row_by_row():
    """More schools than that would cost more in the index than they spare."""
    assert usecase.MOST_SCHOOLS < 1300
