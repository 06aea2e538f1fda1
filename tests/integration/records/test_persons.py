"""Persons: one identity over schools and years, merges that can be undone, and everyone counted once."""

import asyncio
import contextlib
import random
from typing import Any

import pytest
from iocedu.records.v1 import persons_pb2, persons_pb2_grpc, records_pb2, resources_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus
from chassis.errors import Fault
from chassis.testing import FixedClock, client
from services.records.store import persons, pupil_years
from services.records.store.driver import fetch
from services.records.usecases import persons as usecase
from tests.integration.records.closing import register, result
from tests.integration.records.scenes import COMMUNE, GROUP, PROVINCE, SCHOOL_A, SCHOOL_B, Running, gone, pupil, reason
from tests.support.waiting import poll_until

PID, OTHER_PID = "049214000123", "049214000456"
CODE = "2149000123"
RULE, WHY = persons_pb2.LinkRule, "cùng một học sinh"


async def service(records: Running, subject: str = "admin@so") -> Any:
    """PersonsService as a subject calls it."""
    channel = await records.stack.enter_async_context(client(records.address, records.keys.mint(subject)))
    return persons_pb2_grpc.PersonsServiceStub(channel)


async def linked(records: Running) -> None:
    """Wait until every committed change is linked to its person, and what follows from that is in the feed."""

    async def behind() -> bool:
        ((at, last, waiting),) = await records.rows(
            "SELECT (SELECT position FROM person_cursor), (SELECT position FROM feed_position),"
            " (SELECT count(*) FROM outbox)"
        )
        return at == last and not waiting

    await poll_until(behind)


async def person(
    records: Running, key: str, school: str = SCHOOL_A, *, subject: str = "admin@so", purpose: str = ""
) -> persons_pb2.Person:
    """The person behind a pupil's record."""
    await linked(records)
    request = persons_pb2.GetPersonRequest(school=school, collection="pupils", key=key, purpose=purpose)
    found: persons_pb2.Person = (await (await service(records, subject)).GetPerson(request)).person
    return found


async def told(records: Running) -> dict[tuple[str, int], bool]:
    """Whether each pupil of the feed counts where he or she is, by key and school year."""
    await linked(records)
    pupils = await records.changes(types=[resources_pb2.OBJECT_TYPE_PUPIL])
    return {(one.row.key, one.row.pupil.school_year): not one.counted_elsewhere for one in pupils}


async def test_a_pupil_who_changes_school_is_one_person_with_a_course(records: Running):
    """Over schools and years, by the personal number, the newest school year first."""
    await records.apply(
        pupil("a5", school_year=2025, grade="05", level="02", personal_id=PID, school=SCHOOL_B),
        pupil("b6", personal_id=PID, ministry_code=CODE),
    )
    found = await person(records, "b6")
    assert [(one.school_name, one.school_year) for one in found.records] == [
        ("Trường THCS Nguyễn Du", 2026),
        ("Trường TH Ánh Dương", 2025),
    ]
    assert {one.rule for one in found.records} == {RULE.LINK_RULE_FIRST, RULE.LINK_RULE_PERSONAL_ID}
    assert (await person(records, "a5", SCHOOL_B)).person_id == found.person_id


async def test_a_renamed_record_keeps_its_person(records: Running):
    """The old key still leads to the person; the tombstone says nothing."""
    await records.apply(pupil("TAM-1"))
    before = await person(records, "TAM-1")
    row = pupil("HS1", 2)
    row.previous_key = "TAM-1"
    await records.apply(row)
    after = await person(records, "HS1")
    assert after.person_id == before.person_id == (await person(records, "TAM-1")).person_id
    assert [(one.rule, one.HasField("record")) for one in after.records] == [
        (RULE.LINK_RULE_RENAMED, True),
        (RULE.LINK_RULE_UNSPECIFIED, False),
    ]


async def test_what_id_name_and_birth_say_is_merged_and_a_person_may_part_it_for_good(records: Running):
    """The number came after both were known; who parts them is not overruled by the next push."""
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B, personal_id=PID))
    assert (await person(records, "a")).person_id != (await person(records, "b", SCHOOL_B)).person_id
    await records.apply(pupil("a", 2, personal_id=PID))
    found = await person(records, "a")
    assert {one.collection for one in found.records} == {"pupils"}
    assert len(found.records) == 2
    (merge,) = found.merges
    assert (merge.reason, merge.merged_by) == ("SAME_ID_NAME_AND_BIRTH", "")

    stub = await service(records)
    await stub.UndoMerge(persons_pb2.UndoMergeRequest(unit=COMMUNE, merge_id=merge.merge_id, reason="song sinh"))
    await records.apply(pupil("a", 3, personal_id=PID, full_name="Nguyễn Văn Hoà"))
    assert len((await person(records, "a")).records) == 1
    with pytest.raises(Fault) as refused:
        await stub.UndoMerge(persons_pb2.UndoMergeRequest(unit=COMMUNE, merge_id=merge.merge_id, reason="lần nữa"))
    assert reason(refused) == "UNKNOWN_MERGE"


async def test_suspicions_say_what_speaks_for_them_and_end_with_it(records: Running):
    """Name, birth and mother; a decision or a correction takes the pair off the list."""
    mother = {"TEN_ME": "Trần Thị Lan"}
    await records.apply(
        pupil("a", further=mother),
        pupil("b", school=SCHOOL_B, full_name="nguyen van hoa", further={"TEN_ME": "TRẦN THỊ LAN"}),
        pupil("c", full_name="Lê An"),
        pupil("d", school=SCHOOL_B, full_name="Lê An"),
    )
    await linked(records)
    stub = await service(records)
    request = persons_pb2.ListSuspectedDuplicatesRequest(unit=COMMUNE)
    pairs = (await stub.ListSuspectedDuplicates(request)).pairs
    names = {frozenset(one.records[0].record.row.key for one in (pair.one, pair.other)): pair for pair in pairs}
    reasons = persons_pb2.SuspicionReason
    assert list(names[frozenset("ab")].reasons) == [
        reasons.SUSPICION_REASON_SAME_MOTHER,
        reasons.SUSPICION_REASON_SAME_NAME_AND_BIRTH,
    ]
    assert list(names[frozenset("cd")].reasons) == [reasons.SUSPICION_REASON_SAME_NAME_AND_BIRTH]

    first = names[frozenset("ab")]
    apart = persons_pb2.KeepPersonsApartRequest(
        unit=COMMUNE, one_id=first.other.person_id, other_id=first.one.person_id, reason="hai chị em họ"
    )
    await stub.KeepPersonsApart(apart)
    await records.apply(pupil("d", 2, school=SCHOOL_B, full_name="Lê Anh"), pupil("a", 2, further=mother, sex="0"))
    await linked(records)
    assert list((await stub.ListSuspectedDuplicates(request)).pairs) == []


async def test_pairs_come_in_pages(records: Running):
    """Each once."""
    await records.apply(*(pupil(f"{name}{copy}", full_name=f"Lê {name}") for name in "ABC" for copy in (1, 2)))
    await linked(records)
    stub, token, found = await service(records), "", []
    while True:
        request = persons_pb2.ListSuspectedDuplicatesRequest(unit=PROVINCE, page_size=2, page_token=token)
        answer = await stub.ListSuspectedDuplicates(request)
        found += [(pair.one.person_id, pair.other.person_id) for pair in answer.pairs]
        token = answer.next_page_token
        if not token:
            break
    assert len(set(found)) == len(found) == 3


async def test_two_main_enrolments_are_a_conflict_and_count_once(records: Running):
    """The first that was known counts, until one of the schools says that the pupil is not there."""
    await records.apply(pupil("a", personal_id=PID))
    await linked(records)
    await records.apply(pupil("b", school=SCHOOL_B, personal_id=PID))
    assert await told(records) == {("a", 2026): True, ("b", 2026): False}
    stub = await service(records)
    (conflict,) = (
        await stub.ListEnrolmentConflicts(persons_pb2.ListEnrolmentConflictsRequest(unit=SCHOOL_B))
    ).conflicts
    shown = [(one.school_name, one.counted_elsewhere) for one in conflict.enrolments]
    assert shown == [("Trường THCS Nguyễn Du", False), ("Trường TH Ánh Dương", True)]

    await records.apply(pupil("b", 2, school=SCHOOL_B, personal_id=PID, class_key="6B"))
    assert await told(records) == {("a", 2026): True, ("b", 2026): False}, "a push does not count it again"
    await records.apply(pupil("a", 2, personal_id=PID, status="04"))
    assert await told(records) == {("a", 2026): True, ("b", 2026): True}, "moved away: there it counts by its status"
    assert not (await stub.ListEnrolmentConflicts(persons_pb2.ListEnrolmentConflictsRequest(unit=SCHOOL_B))).conflicts


async def test_counting_once_in_a_past_year_notifies_nobody(records: Running, bus: Bus):
    """The event is history, as the records were; of this school year it is news."""
    told: dict[int, bool] = {}

    async def take(message: Any) -> None:
        event = records_pb2.RecordsChanged.FromString(message.data)
        told.update({one.row.pupil.school_year: event.backfill for one in event.changes if one.counted_elsewhere})

    await bus.client.subscribe("iocedu.records.v1.records-changed", cb=take)
    await records.apply(pupil("a", school_year=2025, personal_id=PID), pupil("c", personal_id=OTHER_PID))
    await linked(records)
    await records.apply(
        pupil("b", school=SCHOOL_B, school_year=2025, personal_id=PID),
        pupil("d", school=SCHOOL_B, personal_id=OTHER_PID),
    )
    await linked(records)

    async def both() -> bool:
        return len(told) == 2

    await poll_until(both)
    assert told == {2025: True, 2026: False}


async def test_a_secondary_enrolment_is_no_conflict_and_counts_only_alone(records: Running):
    """A vocational school beside a continuing education centre."""
    await records.apply(pupil("b", school=SCHOOL_B, personal_id=PID, secondary=True))
    await linked(records)
    assert await told(records) == {("b", 2026): True}
    await records.apply(pupil("a", personal_id=PID), pupil("c", personal_id=OTHER_PID))
    assert await told(records) == {("a", 2026): True, ("b", 2026): False, ("c", 2026): True}
    request = persons_pb2.ListEnrolmentConflictsRequest(unit=PROVINCE)
    assert not (await (await service(records)).ListEnrolmentConflicts(request)).conflicts


async def test_a_merge_by_hand_counts_once_and_its_end_counts_both_again(records: Running):
    """Both histories stay what they were."""
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B, full_name="Nguyễn Văn Hoàn"))
    kept, other = await person(records, "a"), await person(records, "b", SCHOOL_B)
    stub = await service(records)
    request = persons_pb2.MergePersonsRequest(unit=COMMUNE, kept_id=kept.person_id, gone_id=other.person_id, reason=WHY)
    merge_id = (await stub.MergePersons(request)).merge_id
    assert await told(records) == {("a", 2026): True, ("b", 2026): False}
    assert (await person(records, "b", SCHOOL_B)).person_id == kept.person_id
    await stub.UndoMerge(persons_pb2.UndoMergeRequest(unit=COMMUNE, merge_id=merge_id, reason="nhầm"))
    assert await told(records) == {("a", 2026): True, ("b", 2026): True}
    assert (await person(records, "b", SCHOOL_B)).person_id == other.person_id


async def test_who_may_not_see_a_school_learns_where_a_pupil_was_once_that_is_confirmed(records: Running):
    """Whoever sends a known number learns that there is another record; where, once that school confirms, to it only.

    Each record come upon is written down: so the other school knows who asks.
    """
    await records.apply(pupil("b5", school=SCHOOL_B, school_year=2025, personal_id=PID), pupil("a6", personal_id=PID))
    await records.grant("hieu-truong", "head_teacher", SCHOOL_A)
    found = await person(records, "a6", subject="hieu-truong", purpose="xem hồ sơ")
    assert [one.hidden for one in found.records] == [False, True]
    assert found.records[1] == persons_pb2.PersonRecord(hidden=True)
    await records.grant("hieu-truong-b", "head_teacher", SCHOOL_B)
    other = await records.persons("hieu-truong-b")
    confirmation = persons_pb2.DisclosePersonRecordRequest(
        school=SCHOOL_B, collection="pupils", key="b5", to_school=GROUP, reason="chuyển trường"
    )
    await other.DisclosePersonRecord(confirmation)
    assert (await person(records, "a6", subject="hieu-truong")).records[1].hidden
    confirmation.to_school = SCHOOL_A
    for _ in range(2):
        await other.DisclosePersonRecord(confirmation)
    found = await person(records, "a6", subject="hieu-truong", purpose="xem hồ sơ")
    shown = [(one.school_name, one.school_year, one.HasField("record")) for one in found.records]
    assert shown == [("Trường THCS Nguyễn Du", 2026, True), ("Trường TH Ánh Dương", 2025, False)]
    assert found.records[0].record.row.pupil.personal_id == PID
    log = await records.rows(
        "SELECT DISTINCT subject, key, purpose, record_count, unmasked FROM access_log"
        " WHERE subject = 'hieu-truong' AND purpose <> '' ORDER BY key"
    )
    assert log == [("hieu-truong", "a6", "xem hồ sơ", 1, True), ("hieu-truong", "b5", "xem hồ sơ", 0, False)], (
        "the other school reads that somebody came upon its pupil"
    )
    assert not found.records[1].collection
    assert not found.merges
    with pytest.raises(Fault) as refused:
        await person(records, "b5", SCHOOL_B, subject="hieu-truong")
    assert refused.value.kind.name == "DENIED"


async def test_the_course_of_a_pupil_holds_results_and_attendance_of_every_year(records: Running):
    """Also of what still names the key of before; in the order of the stages."""
    renamed = pupil("HS1", 2, personal_id=PID)
    renamed.previous_key = "TAM-1"
    await records.apply(pupil("TAM-1", personal_id=PID), result("r2", stage="CN"), result("r1", stage="GK1"))
    for row in (result("r3", stage="CK1"), register("d1", day="2026-10-05")):
        if row.HasField("result"):
            row.result.pupil_key = "TAM-1"
        else:
            row.attendance_register.exceptions.add(pupil_key="TAM-1", kind="K")
        await records.apply(row)
    group = resources_pb2.SchoolClass(school_year=2026, name="6/1", grade="06", level="03")
    await records.apply(resources_pb2.Row(school=SCHOOL_A, key="6A", version=1, school_class=group))
    await records.apply(renamed, pupil("b5", school=SCHOOL_B, school_year=2025, personal_id=PID, grade="05"))
    await linked(records)
    stub = await service(records)
    course = await stub.GetCourse(persons_pb2.GetCourseRequest(school=SCHOOL_A, pupil_key="HS1"))
    assert [(one.school_year, one.pupil_key) for one in course.years] == [(2026, "HS1"), (2025, "b5")]
    this_year = course.years[0]
    assert [one.class_name for one in course.years] == ["6/1", ""]
    assert [one.row.result.stage for one in this_year.results] == ["GK1", "CK1", "CN"]
    assert this_year.attendance.absent_without_permission_count == 1
    assert this_year.attendance.counted_session_count == 1
    assert [one.school_year for one in course.person.records][:2] == [2026, 2025]
    log = await records.rows("SELECT collection, key FROM access_log WHERE record_count > 0 ORDER BY 1, 2")
    assert log == [("pupils", "HS1"), ("pupils", "b5"), ("results", "r1"), ("results", "r2"), ("results", "r3")]


async def test_a_course_of_many_years_asks_a_school_once_for_its_keys_of_before(
    records: Running, monkeypatch: pytest.MonkeyPatch
):
    """They are the school's of all years."""
    rows = [
        pupil(f"HS1.{year}", school_year=year, personal_id=PID, grade=f"0{year - 2020}") for year in range(2022, 2027)
    ]
    await records.apply(*rows)
    await linked(records)
    asked: list[str] = []

    async def noted(connection: AsyncConnection, query: str, *values: object) -> list[Any]:
        asked.append(query)
        return await fetch(connection, query, *values)

    monkeypatch.setattr(pupil_years, "fetch", noted)
    stub = await service(records)
    course = await stub.GetCourse(persons_pb2.GetCourseRequest(school=SCHOOL_A, pupil_key="HS1.2026"))
    assert [one.school_year for one in course.years] == [2026, 2025, 2024, 2023, 2022]
    assert sum("record_rename" in query for query in asked) == 1


async def test_only_persons_wholly_below_the_unit_are_merged(records: Running):
    """Else an officer of one commune would decide on another's pupils."""
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B, full_name="Lê An"))
    one, other = (await person(records, "a")).person_id, (await person(records, "b", SCHOOL_B)).person_id
    stub = await service(records)
    for unit, kept, away, why in (
        (SCHOOL_A, one, other, "UNKNOWN_PERSON"),
        (COMMUNE, one, 999, "UNKNOWN_PERSON"),
        (COMMUNE, one, one, "SAME_PERSON"),
    ):
        request = persons_pb2.MergePersonsRequest(unit=unit, kept_id=kept, gone_id=away, reason=WHY)
        with pytest.raises(Fault) as refused:
            await stub.MergePersons(request)
        assert reason(refused) == why


async def test_whatever_comes_everyone_is_someone_and_counts_once(
    records: Running, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
):
    """Two linkers and interrupted windows beside many pushes: of each person and year one enrolment counts."""
    chance = random.Random(7)
    keep, failures = persons.move_on, iter([True, False, True, False, False, True])

    async def fail_now_and_then(connection: AsyncConnection, position: int) -> None:
        if next(failures, False):
            raise ConnectionResetError
        await keep(connection, position)

    monkeypatch.setattr(persons, "move_on", fail_now_and_then)
    monkeypatch.setattr(usecase, "WINDOW", 7)

    async def link_beside() -> None:
        for _ in range(40):
            with contextlib.suppress(ConnectionResetError):
                await usecase.link_changes(records.database, clock)
            await asyncio.sleep(0.01)

    def row(number: int, version: int) -> resources_pb2.Row:
        school = [SCHOOL_A, SCHOOL_B, GROUP][number % 3]
        if chance.random() < 0.1:
            return gone(f"{number}", version, school=school)
        number_of_id = chance.choice(["", PID, OTHER_PID])
        status = chance.choice(["01", "01", "04"])
        return pupil(f"{number}", version, school=school, personal_id=number_of_id, status=status)

    async def push() -> None:
        for version in range(1, 6):
            await records.apply(*(row(number, version) for number in range(20)), request_id=f"v{version}")

    await asyncio.gather(push(), link_beside(), link_beside())
    await linked(records)
    pupils, known = [
        await records.rows(f"SELECT school_id, key FROM {table} WHERE NOT deleted ORDER BY 1, 2")
        for table in ("pupil", "person_record")
    ]
    assert pupils == known
    counted = await records.rows(
        "SELECT root_id, school_year, count(*) FILTER (WHERE noted.key IS NULL) FROM person_record"
        " LEFT JOIN counted_elsewhere AS noted USING (school_id, key)"
        " WHERE in_stock AND NOT deleted GROUP BY root_id, school_year"
    )
    assert counted
    assert {number for _, _, number in counted} == {1}
    feed = await records.changes(types=[resources_pb2.OBJECT_TYPE_PUPIL])
    elsewhere = {(one.school_id, one.row.key) for one in feed if one.counted_elsewhere}
    assert elsewhere == set(await records.rows("SELECT school_id, key FROM counted_elsewhere"))
    assert elsewhere
