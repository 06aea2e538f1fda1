"""Decisions on persons: they last, they cannot cross, nobody decides beyond the own unit, and nothing leaks."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from iocedu.records.v1 import persons_pb2, records_pb2, resources_pb2

from chassis.bus import Bus
from chassis.errors import Fault
from chassis.testing import FixedClock
from tests.integration.records.closing import result, setting
from tests.integration.records.scenes import COMMUNE, GROUP, PROVINCE, SCHOOL_A, SCHOOL_B, Running, gone, pupil, reason
from tests.integration.records.test_persons import CODE, OTHER_PID, PID, WHY, linked, person, service, told
from tests.integration.records.test_unit_operations import asked
from tests.support.waiting import poll_until

MergeRequest = persons_pb2.MergePersonsRequest


async def ids(records: Running, *pupils: tuple[str, str]) -> list[int]:
    """The persons of pupils, by key and school."""
    return [(await person(records, key, school)).person_id for key, school in pupils]


async def suspected(records: Running, unit: str = PROVINCE) -> list[tuple[int, int]]:
    """Pairs of persons who may be one."""
    request = persons_pb2.ListSuspectedDuplicatesRequest(unit=unit)
    answer = await (await service(records)).ListSuspectedDuplicates(request)
    return [(pair.one.person_id, pair.other.person_id) for pair in answer.pairs]


async def test_merges_at_once_never_cross_and_a_repeat_answers_the_same(records: Running):
    """Of two officers who merge in opposite directions one is told that the person has gone."""
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B, full_name="Lê An"))
    a, b = await ids(records, ("a", SCHOOL_A), ("b", SCHOOL_B))
    stub = await service(records)
    one, other = (MergeRequest(unit=COMMUNE, kept_id=x, gone_id=y, reason=WHY) for x, y in ((a, b), (b, a)))
    answers = await asyncio.gather(*(stub.MergePersons(one) for _ in range(3)), stub.MergePersons(other),
                                   return_exceptions=True)  # fmt: skip
    refused = [answer.reason for answer in answers if isinstance(answer, Fault)]
    merged = {answer.merge_id for answer in answers if not isinstance(answer, BaseException)}
    assert set(refused) == {"UNKNOWN_PERSON"}
    assert len(merged) == 1
    assert len(refused) in (1, 3)
    assert await records.rows("SELECT count(*) FROM person_merge") == [(1,)]
    undo = persons_pb2.UndoMergeRequest(unit=COMMUNE, merge_id=merged.pop(), reason="nhầm")
    assert await stub.UndoMerge(undo) == await stub.UndoMerge(undo)
    assert await ids(records, ("a", SCHOOL_A), ("b", SCHOOL_B)) == [a, b]


async def test_a_merge_that_comes_too_late_does_not_stop_the_linking(records: Running):
    """The person was merged by rule meanwhile: the officer hears it, and what comes later is linked."""
    await records.apply(pupil("r", personal_id=PID), pupil("k", school=SCHOOL_B), pupil("g", full_name="Lê An"))
    r, k, g = await ids(records, ("r", SCHOOL_A), ("k", SCHOOL_B), ("g", SCHOOL_A))
    await records.apply(pupil("k", 2, school=SCHOOL_B, personal_id=PID))
    assert await ids(records, ("k", SCHOOL_B)) == [r]
    with pytest.raises(Fault) as refused:
        await (await service(records)).MergePersons(MergeRequest(unit=COMMUNE, kept_id=k, gone_id=g, reason=WHY))
    assert reason(refused) == "UNKNOWN_PERSON"
    await records.apply(pupil("g", 2, full_name="Nguyễn Văn Hòa", personal_id=PID))
    assert await ids(records, ("g", SCHOOL_A)) == [r]


async def test_decisions_outlast_merges_and_their_ends(records: Running):
    """Who was told apart is not merged by rule, whoever the two are by then."""
    await records.apply(pupil("x"), pupil("k", full_name="Lê A"), pupil("g", school=SCHOOL_B))
    x, k, g = await ids(records, ("x", SCHOOL_A), ("k", SCHOOL_A), ("g", SCHOOL_B))
    stub = await service(records)
    await stub.KeepPersonsApart(persons_pb2.KeepPersonsApartRequest(unit=COMMUNE, one_id=g, other_id=x, reason="hai"))
    merged = await stub.MergePersons(MergeRequest(unit=COMMUNE, kept_id=k, gone_id=g, reason=WHY))
    await records.apply(pupil("x", 2, personal_id=PID), pupil("g", 2, school=SCHOOL_B, personal_id=PID))
    assert await ids(records, ("x", SCHOOL_A), ("g", SCHOOL_B)) == [x, k], "g is k now, and told apart all the same"
    await stub.UndoMerge(persons_pb2.UndoMergeRequest(unit=COMMUNE, merge_id=merged.merge_id, reason="nhầm"))
    await records.apply(pupil("g", 3, school=SCHOOL_B, personal_id=PID, ministry_code=CODE))
    assert await ids(records, ("x", SCHOOL_A), ("g", SCHOOL_B)) == [x, g]


async def test_a_merge_within_a_merge_is_undone_with_all_it_brought(records: Running):
    """And what is parted is kept apart from whoever the kept person is by then."""
    await records.apply(pupil("k"), pupil("a", full_name="Lê A"), pupil("b", school=SCHOOL_B), pupil("c", school=GROUP))
    k, a, b, c = await ids(records, ("k", SCHOOL_A), ("a", SCHOOL_A), ("b", SCHOOL_B), ("c", GROUP))
    stub = await service(records)
    made = [
        (await stub.MergePersons(MergeRequest(unit=COMMUNE, kept_id=kept, gone_id=away, reason=WHY))).merge_id
        for kept, away in ((b, c), (a, b), (k, a))
    ]
    assert [one.merge_id for one in (await person(records, "c", GROUP)).merges] == made[::-1]
    await records.apply(pupil("k", 2, personal_id=PID), pupil("b", 2, school=SCHOOL_B, personal_id=PID))
    await stub.UndoMerge(persons_pb2.UndoMergeRequest(unit=COMMUNE, merge_id=made[1], reason="nhầm"))
    await records.apply(pupil("b", 3, school=SCHOOL_B, personal_id=PID, ministry_code=CODE))
    assert await ids(records, ("k", SCHOOL_A), ("a", SCHOOL_A), ("b", SCHOOL_B), ("c", GROUP)) == [k, k, b, b]
    assert [one.merge_id for one in (await person(records, "k")).merges] == [made[2]]


async def test_what_contradicts_is_never_merged_by_rule(records: Running):
    """The same number, name and birth, but another sex or ministry's code: a person decides."""
    await records.apply(pupil("a", sex="0"), pupil("b", school=SCHOOL_B, sex="1", ministry_code=CODE))
    await linked(records)
    await records.apply(
        pupil("a", 2, sex="0", personal_id=PID, ministry_code="2149000999"),
        pupil("b", 2, school=SCHOOL_B, sex="1", personal_id=PID, ministry_code=CODE),
    )
    a, b = await ids(records, ("a", SCHOOL_A), ("b", SCHOOL_B))
    assert a != b
    assert await suspected(records) == [(min(a, b), max(a, b))]


async def test_namesakes_are_suspected_among_their_like_only(records: Running):
    """Not a teacher, not a record that is gone; and only by those whose pupils they are."""
    member = resources_pb2.StaffMember(
        school_year=2026, full_name="Nguyễn Văn Hòa", birth_date="2014-03-09", sex="1", status="01"
    )
    await records.apply(
        pupil("a"),
        pupil("b", school=SCHOOL_B),
        pupil("c", school=SCHOOL_B),
        resources_pb2.Row(school=GROUP, key="t", version=1, staff_member=member),
    )
    await records.apply(gone("c", 2, school=SCHOOL_B))
    a, b = await ids(records, ("a", SCHOOL_A), ("b", SCHOOL_B))
    assert await suspected(records) == [(min(a, b), max(a, b))]
    assert await suspected(records, SCHOOL_B) == await suspected(records)
    assert await suspected(records, GROUP) == []


async def test_conflicts_are_those_of_the_unit_and_the_year(records: Running):
    """A third school sees none, and another year has none."""
    await records.apply(pupil("a", personal_id=PID))
    await linked(records)
    await records.apply(pupil("b", school=SCHOOL_B, personal_id=PID))
    await linked(records)

    async def conflicts(unit: str, year: int = 0) -> int:
        request = persons_pb2.ListEnrolmentConflictsRequest(unit=unit, school_year=year)
        return len((await (await service(records)).ListEnrolmentConflicts(request)).conflicts)

    asked = [(SCHOOL_A, 0), (SCHOOL_B, 2026), (COMMUNE, 2026), (GROUP, 0), (COMMUNE, 2025)]
    assert [await conflicts(*one) for one in asked] == [1, 1, 1, 0, 0]


async def test_who_was_known_first_counts_also_under_a_new_key(records: Running, clock: FixedClock):
    """Known earlier, not of the lower id: the first is of the other school."""
    await records.apply(pupil("b", school=SCHOOL_B, personal_id=PID))
    await linked(records)
    clock.advance(timedelta(hours=1))
    await records.apply(pupil("a", personal_id=PID))
    assert await told(records) == {("b", 2026): True, ("a", 2026): False}
    clock.advance(timedelta(hours=1))
    row = pupil("b2", 2, school=SCHOOL_B, personal_id=PID)
    row.previous_key = "b"
    await records.apply(row)
    assert await told(records) == {("b", 0): True, ("b2", 2026): True, ("a", 2026): False}


async def test_keys_that_change_twice_in_a_moment_keep_their_person(records: Running):
    """The key in the middle was gone before anybody looked at it."""
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B, full_name="Lê An"))
    a, b = await ids(records, ("a", SCHOOL_A), ("b", SCHOOL_B))
    await (await service(records)).MergePersons(MergeRequest(unit=COMMUNE, kept_id=b, gone_id=a, reason=WHY))
    for version, (before, key) in enumerate([("a", "m"), ("m", "z")], 2):
        row = pupil(key, version, full_name=f"Lê {key}")
        row.previous_key = before
        await records.apply(row)
    assert await ids(records, ("z", SCHOOL_A)) == [b]


async def test_a_key_given_to_another_child_is_another_person(records: Running):
    """Both count, and neither has the other's course."""
    row = pupil("HS1", 2, personal_id=PID)
    row.previous_key = "1"
    await records.apply(pupil("1", personal_id=PID))
    await linked(records)
    await records.apply(row)
    await linked(records)
    await records.apply(pupil("1", 3, full_name="Lê Thị Mai", sex="2", birth_date="2014-07-07"))
    assert await told(records) == {("HS1", 2026): True, ("1", 2026): True}
    assert len(set(await ids(records, ("HS1", SCHOOL_A), ("1", SCHOOL_A)))) == 2


async def test_a_course_holds_no_one_elses_results(records: Running):
    """A member of staff and a pupil may have one key; results are masked as the pupil is."""
    member = resources_pb2.StaffMember(
        school_year=2026, full_name="Nguyễn Văn Hòa", birth_date="2014-03-09", sex="1", personal_id=PID, status="01"
    )
    other = result("r7", stage="CN")
    other.result.pupil_key = "7"
    own = result("r1", stage="CN")
    own.result.pupil_key = "1"
    own.result.further["NHAN_XET"] = "ngoan"
    await records.apply(
        resources_pb2.Row(school=SCHOOL_A, key="7", version=1, staff_member=member),
        pupil("1", personal_id=PID),
        pupil("7", full_name="Lê Khác", birth_date="2014-01-01"),
        other,
        own,
    )
    await linked(records)
    stub = await service(records)
    request = persons_pb2.GetCourseRequest(school=SCHOOL_A, pupil_key="1")
    (year,) = (await stub.GetCourse(request)).years
    assert [one.row.key for one in year.results] == ["r1"]
    assert not year.results[0].row.result.further
    request.purpose = "xem hồ sơ"
    (year,) = (await stub.GetCourse(request)).years
    assert dict(year.results[0].row.result.further) == {"NHAN_XET": "ngoan"}


async def test_a_purpose_alone_unmasks_nothing(records: Running):
    """The role must allow it."""
    await records.apply(pupil("a", personal_id=PID))
    await records.grant("phan-mem", "integrator", SCHOOL_A)
    found = await person(records, "a", subject="phan-mem", purpose="tò mò")
    assert found.records[0].record.masked
    with pytest.raises(Fault):
        await person(records, "khong-co", subject="phan-mem")
    log = await records.rows("SELECT key, record_count, unmasked FROM access_log ORDER BY entry_id")
    assert log == [("a", 1, False), ("khong-co", 0, False)]


async def test_decisions_need_the_whole_person_below_the_unit(records: Running):
    """A person with a record in another school is decided on above both."""
    await records.apply(pupil("a", personal_id=PID), pupil("c", full_name="Lê An"))
    await records.apply(pupil("b", school=SCHOOL_B, personal_id=PID, school_year=2025))
    two, one = await ids(records, ("a", SCHOOL_A), ("c", SCHOOL_A))
    stub = await service(records)
    apart = persons_pb2.KeepPersonsApartRequest(unit=SCHOOL_A, one_id=one, other_id=two, reason=WHY)
    with pytest.raises(Fault) as refused:
        await stub.KeepPersonsApart(apart)
    assert reason(refused) == "UNKNOWN_PERSON"
    merged = await stub.MergePersons(MergeRequest(unit=COMMUNE, kept_id=two, gone_id=one, reason=WHY))
    undo = persons_pb2.UndoMergeRequest(unit=SCHOOL_A, merge_id=merged.merge_id, reason=WHY)
    with pytest.raises(Fault) as refused:
        await stub.UndoMerge(undo)
    assert reason(refused) == "UNKNOWN_MERGE"


async def test_what_is_locked_goes_on_counting(records: Running):
    """A merge changes the other enrolment, and nothing in what is closed."""
    await records.apply(pupil("b", school=SCHOOL_B), pupil("a", full_name="Lê An"))
    b, a = await ids(records, ("b", SCHOOL_B), ("a", SCHOOL_A))
    await (await records.locks()).SetLocks(setting(SCHOOL_A))
    await (await service(records)).MergePersons(MergeRequest(unit=COMMUNE, kept_id=b, gone_id=a, reason=WHY))
    assert await told(records) == {("a", 2026): True, ("b", 2026): False}


async def test_events_of_later_pushes_say_where_a_person_counts(records: Running, bus: Bus):
    """Of those that count elsewhere and of no others."""
    await records.apply(pupil("a", personal_id=PID))
    await linked(records)
    await records.apply(pupil("b", school=SCHOOL_B, personal_id=PID))
    await linked(records)
    seen: dict[tuple[str, int], bool] = {}

    async def take(message: Any) -> None:
        for one in records_pb2.RecordsChanged.FromString(message.data).changes:
            seen[one.row.key, one.row.version] = one.counted_elsewhere

    await bus.client.subscribe("iocedu.records.v1.records-changed", cb=take)
    await records.apply(
        pupil("a", 2, personal_id=PID, class_key="6B"),
        pupil("b", 2, school=SCHOOL_B, personal_id=PID, class_key="6B"),
        pupil("c", school=SCHOOL_B, personal_id=OTHER_PID),
    )
    await linked(records)
    assert seen == {("a", 2): False, ("b", 2): True, ("c", 1): False}


async def test_records_of_a_merged_school_are_decided_on_where_its_successor_is(records: Running):
    """By who may at the successor or above it, at once with every unit; by nobody who holds another part of it."""
    await records.apply(pupil("a", school_year=2025, grade="05"), pupil("c", school=GROUP))
    await records.apply(pupil("b", school=SCHOOL_B, full_name="Lê An"))
    a, b, c = await ids(records, ("a", SCHOOL_A), ("b", SCHOOL_B), ("c", GROUP))
    merging = asked("1", merge={"units": [SCHOOL_A], "successor_unit": SCHOOL_B})
    await (await records.operations()).CreateUnitOperation(merging)
    await poll_until(lambda: records.scopes.tree.resolve(SCHOOL_A, records.today()) is None)
    stub = await service(records)

    with pytest.raises(Fault) as refused:
        await stub.MergePersons(MergeRequest(unit=GROUP, kept_id=c, gone_id=a, reason=WHY))
    assert reason(refused) == "UNKNOWN_PERSON"
    for unit in (SCHOOL_B, COMMUNE, PROVINCE, "0"):
        merged = await stub.MergePersons(MergeRequest(unit=unit, kept_id=b, gone_id=a, reason=WHY))
        await stub.UndoMerge(persons_pb2.UndoMergeRequest(unit=unit, merge_id=merged.merge_id, reason=unit))
    listed = await (await records.records()).ListRecords(records_pb2.ListRecordsRequest(unit="0", collection="pupils"))
    assert {one.row.key for one in listed.records} == {"a", "b", "c"}


async def test_records_of_a_dissolved_school_are_decided_on_above_where_it_stood(records: Running):
    """And not at a school beside it."""
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B, full_name="Lê An"))
    a, b = await ids(records, ("a", SCHOOL_A), ("b", SCHOOL_B))
    await (await records.operations()).CreateUnitOperation(asked("1", dissolve={"unit": SCHOOL_A}))
    await poll_until(lambda: records.scopes.tree.resolve(SCHOOL_A, records.today()) is None)
    stub = await service(records)

    with pytest.raises(Fault) as refused:
        await stub.MergePersons(MergeRequest(unit=SCHOOL_B, kept_id=b, gone_id=a, reason=WHY))
    assert reason(refused) == "UNKNOWN_PERSON"
    await stub.MergePersons(MergeRequest(unit=COMMUNE, kept_id=b, gone_id=a, reason=WHY))
