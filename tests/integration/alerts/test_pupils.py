"""Facts on pupils, classes and schools, made of records: whatever the order and repetition, they equal a recount."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2

from chassis.database import Database
from services.alerts import store, usecases
from services.alerts.convert import RecordRows, record_rows
from services.alerts.convert.tables import early_warning
from services.alerts.domain import SHAPES, AlertFilter, Change, State, Transition
from services.alerts.usecases.moment import Moment
from tests.integration.alerts.scenes import SCHOOL, SECOND_SCHOOL, calendar_of
from tests.support.databases import DatabaseFactory

READING = early_warning()
MONDAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)  # A Tuesday, 10:00 in Viet Nam.
YEAR, CLASS = 2026, "6A"
PUPIL, GROUP = resources_pb2.OBJECT_TYPE_PUPIL, resources_pb2.OBJECT_TYPE_SCHOOL_CLASS
REGISTER, RESULT = resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER, resources_pb2.OBJECT_TYPE_RESULT


def moment(now: datetime = NOW) -> Moment:
    """An instant with the calendar of the province."""
    today = (now + timedelta(hours=7)).date()
    return Moment(now=now, today=today, unit_name=str, calendar=calendar_of(day=today))


def change(
    kind: resources_pb2.ObjectType.ValueType,
    key: str,
    *,
    school: int = SCHOOL,
    previous: str = "",
    gone: bool = False,
    **record: Any,
) -> records_pb2.Change:
    """A changed record as records tells it."""
    row = resources_pb2.Row(school=str(school), key=key, version=1, previous_key=previous, deleted=gone, **record)
    return records_pb2.Change(school_id=school, type=kind, row=row)


def pupil(key: str, *, school: int = SCHOOL, previous: str = "", **fields) -> records_pb2.Change:
    """A pupil of grade 6."""
    values: dict[str, Any] = {
        "school_year": YEAR,
        "class_key": CLASS,
        "grade": "06",
        "status": "01",
        "birth_date": "2015-01-01",
    } | fields
    return change(PUPIL, key, school=school, previous=previous, pupil=resources_pb2.Pupil(**values))


def group(key: str = CLASS, *, school: int = SCHOOL) -> records_pb2.Change:
    """A class of grade 6."""
    return change(GROUP, key, school=school, school_class=resources_pb2.SchoolClass(school_year=YEAR, grade="06"))


def register(
    day: date,
    away: dict[str, str],
    *,
    session: int = 1,
    class_key: str = CLASS,
    school: int = SCHOOL,
    gone: bool = False,
) -> records_pb2.Change:
    """The register of a class, day and session, by pupil P, K or M."""
    record = resources_pb2.AttendanceRegister(
        school_year=YEAR,
        class_key=class_key,
        day=day.isoformat(),
        session=session,
        scheduled_count=35,
        exceptions=[resources_pb2.AttendanceException(pupil_key=key, kind=kind) for key, kind in sorted(away.items())],
    )
    return change(REGISTER, f"{class_key}/{day}/{session}", school=school, gone=gone, attendance_register=record)


def result(key: str, marks: dict[str, float], *, stage: str = "GK1", conduct: str = "T") -> records_pb2.Change:
    """A pupil's results of a stage."""
    subjects = [results_pb2.SubjectMark(subject=subject, mark=mark) for subject, mark in marks.items()]
    record = results_pb2.Result(
        school_year=YEAR, pupil_key=key, stage=stage, regulation="TT22", conduct_result=conduct, subject_marks=subjects
    )
    return change(RESULT, f"{key}/{stage}", result=record)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


class Feed:
    """Gives changes their positions, one after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.position = 1

    async def take(
        self, *changes: records_pb2.Change, now: datetime = NOW, backfill: bool = False, first: int = 0
    ) -> list[Change]:
        """Changes as one event, in one transaction."""
        rows = RecordRows()
        place = first or self.position
        await record_rows(rows, changes, first=place, time=now, reading=READING)
        self.position = max(self.position, place + len(changes))
        async with self.database.transaction() as held:
            return await usecases.follow_records(held, rows, moment(now), READING, baseline=backfill)


@pytest.fixture
def feed(database: Database) -> Feed:
    """The feed of records."""
    return Feed(database)


async def fact(database: Database, subject: str, kind: str = "pupil", school: int = SCHOOL) -> dict[str, Any]:
    """The values of a fact; empty: there is none."""
    async with database.connection() as reading:
        question = 'SELECT "values" FROM fact WHERE unit_id = :school AND kind = :kind AND subject = :subject'
        found = await reading.scalar(sa.text(question), {"school": school, "kind": kind, "subject": subject})
    return dict(found or {})


async def opened(database: Database) -> set[tuple[str, str]]:
    """Rule and subject of what is open."""
    wanted = AlertFilter(unit_ids=frozenset({SCHOOL, SECOND_SCHOOL}), states=frozenset(State) - {State.RESOLVED})
    async with database.connection() as reading:
        return {(one.rule, one.subject) for one in await store.list_alerts(reading, wanted, below=None, limit=1000)}


def school_days(count: int) -> list[date]:
    """So many weekdays from a Monday on."""
    days = [MONDAY + timedelta(days=number) for number in range(2 * count)]
    return [day for day in days if day.weekday() < 5][:count]


async def test_the_45_session_clock_counts_a_day_once_and_raises_at_30_38_and_above_45(database, feed):
    """With and without permission, the main session alone; one alert at a time, the graver in place of the other."""
    await feed.take(group(), pupil("HS1"))
    seen: dict[int, set[str]] = {}
    for number, day in enumerate(school_days(46), start=1):
        kind = "P" if number % 2 else "K"
        await feed.take(register(day, {"HS1": kind}), register(day, {"HS1": kind}, session=2))
        if number in (29, 30, 37, 38, 45, 46):
            seen[number] = {rule for rule, subject in await opened(database) if "absence_45" in rule}
    assert (await fact(database, "2026/HS1"))["absent_sessions"] == 46
    assert seen == {
        29: set(),
        30: {"absence_45_amber"},
        37: {"absence_45_amber"},
        38: {"absence_45_red"},
        45: {"absence_45_red"},
        46: {"absence_45_over"},
    }


async def test_a_class_without_a_morning_register_counts_by_its_afternoon(database, feed):
    """The main session is the earliest there is; once the morning comes, that is what counts."""
    await feed.take(group(), pupil("HS1"), register(MONDAY, {"HS1": "K"}, session=2))
    assert (await fact(database, "2026/HS1"))["absent_sessions"] == 1
    await feed.take(register(MONDAY, {}, session=1))
    assert (await fact(database, "2026/HS1"))["absent_sessions"] == 0


async def test_three_days_in_a_row_without_a_word_raise_and_coming_back_resolves(database, feed):
    """A day excused or present breaks the run; being late is being there."""
    days = school_days(6)
    await feed.take(group(), pupil("HS1"), pupil("HS2"), *(register(day, {"HS1": "K", "HS2": "M"}) for day in days[:2]))
    assert await opened(database) == set()
    await feed.take(register(days[2], {"HS1": "K", "HS2": "M"}))
    assert await opened(database) == {("absence_unexplained", "2026/HS1")}
    changes = await feed.take(register(days[3], {"HS1": "P"}))
    assert [(one.transition, one.alert.rule) for one in changes] == [(Transition.RESOLVED, "absence_unexplained")]
    assert await fact(database, "2026/HS2") == {}


async def test_signs_in_two_respects_are_an_early_warning_with_its_reasons_and_no_name(database, feed):
    """Attendance and results together; the alert names the pupil's key, and the caseload ranks who is worse first."""
    days = school_days(24)
    await feed.take(group(), *(pupil(key) for key in ("HS1", "HS2", "HS3")))
    await feed.take(*(register(day, {"HS1": "P", "HS2": "P"} if place < 4 else {}) for place, day in enumerate(days)))
    low = {"TOAN": 3.0, "NGU_VAN": 4.5}
    changes = await feed.take(
        result("HS1", low, conduct="CĐ"), result("HS2", {"TOAN": 4.0, "TIN": 4.5}), result("HS3", low)
    )
    assert {(one.alert.rule, one.alert.subject) for one in changes} == {
        ("early_warning", "2026/HS1"),
        ("early_warning", "2026/HS2"),
    }
    [first] = [one.alert for one in changes if one.alert.subject == "2026/HS1"]
    assert first.title_vi == "Học sinh HS1 (lớp 6A) cần được quan tâm: có dấu hiệu ở 3 mặt"
    assert "nghỉ 16.7% số ngày học" in first.body_vi
    assert "conduct not passed (GK1)" in first.body_en
    async with database.connection() as reading:
        entries = await usecases.caseload(reading, SCHOOL, CLASS, YEAR)
    assert [(one.rank, one.pupil_key, len(one.alerts)) for one in entries] == [
        (1, "HS1", 1),
        (2, "HS2", 1),
        (3, "HS3", 0),
    ]


async def test_pupils_of_past_years_are_in_nobodys_way_and_forgotten_in_time(database, feed):
    """However many went through a school, this year's are ranked; past ones go, but not while an alert stands."""
    await feed.take(group(), pupil("HS1"), result("HS1", {"TOAN": 4.0, "TIN": 4.5}))
    await feed.take(*(register(day, {"HS1": "K"}) for day in school_days(3)))
    assert ("absence_unexplained", "2026/HS1") in await opened(database)
    async with database.transaction() as held:
        await held.execute(sa.text(_PAST))
    async with database.connection() as reading:
        assert [one.pupil_key for one in await usecases.caseload(reading, SCHOOL, "", YEAR)] == ["HS1"]
        assert len(await usecases.caseload(reading, SCHOOL, "", YEAR - 2)) == 5000
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE alert SET subject = '2024/HS0001' WHERE subject = '2026/HS1'"))
        before = NOW - timedelta(days=400)
        assert await store.prune_past_years(held, school_year=YEAR - 2, before=before, limit=10_000) == 0
        gone = await store.prune_past_years(held, school_year=YEAR, before=before, limit=10_000)
        left = set(await held.scalars(sa.text("SELECT subject FROM fact WHERE kind = 'pupil'")))
    assert (gone, left) == (4999, {"2024/HS0001", "2026/HS1"})


_PAST = """
INSERT INTO fact (unit_id, kind, subject, version, "values", baseline, change_time)
SELECT unit_id, kind, '2024/HS' || lpad(number::text, 4, '0'), version,
    "values" || jsonb_build_object('school_year', 2024, 'pupil_key', 'HS' || lpad(number::text, 4, '0')), baseline,
    change_time - interval '2 years'
FROM fact, generate_series(1, 5000) AS number WHERE subject = '2026/HS1' AND kind = 'pupil'
"""


async def test_circumstances_order_a_caseload_and_raise_nothing(database, feed):
    """A poor household or being over age is no sign; of two with the same signs it comes first."""
    poor = {"IS_HO_NGHEO": "1"}
    await feed.take(group(), pupil("A"), pupil("B", further=poor), pupil("C", further=poor, birth_date="2010-01-01"))
    marks = {"TOAN": 4.0, "TIN": 4.5}
    await feed.take(result("A", marks), result("B", marks))
    assert await opened(database) == set()
    async with database.connection() as reading:
        entries = await usecases.caseload(reading, SCHOOL, "", YEAR)
    assert [(one.rank, one.pupil_key) for one in entries] == [(1, "B"), (2, "A")]
    assert "ethnic" not in json.dumps([await fact(database, f"2026/{key}") for key in "AB"])


async def test_a_pupil_who_leaves_or_gets_another_key_takes_the_alerts_along(database, feed):
    """Under the new key the alert goes on, registers that name the old one count; leaving resolves it."""
    await feed.take(group(), pupil("TAM"), *(register(day, {"TAM": "K"}) for day in school_days(3)))
    assert await opened(database) == {("absence_unexplained", "2026/TAM")}
    await feed.take(pupil("HS9", previous="TAM"))
    assert await opened(database) == {("absence_unexplained", "2026/HS9")}
    await feed.take(register(school_days(4)[3], {"TAM": "K"}))
    assert (await fact(database, "2026/HS9"))["unexplained_run"] == 4
    assert await fact(database, "2026/TAM") == {}
    [change] = await feed.take(pupil("HS9", status="05"))
    assert (change.transition, change.alert.subject) == (Transition.RESOLVED, "2026/HS9")


async def test_a_pupil_whose_record_is_gone_is_no_matter_and_a_renamed_one_leaves_nothing_behind(database, feed):
    """A tombstone resolves; that of a renamed key, which comes along with the new one, does not."""
    away = [register(day, {"HS1": "K", "TAM": "K"}) for day in school_days(3)]
    await feed.take(group(), pupil("HS1"), pupil("TAM"), *away)
    await feed.take(change(PUPIL, "TAM", gone=True), pupil("HS9", previous="TAM"))
    assert await opened(database) == {("absence_unexplained", "2026/HS1"), ("absence_unexplained", "2026/HS9")}
    [ended] = await feed.take(change(PUPIL, "HS1", gone=True))
    assert (ended.transition, ended.alert.subject) == (Transition.RESOLVED, "2026/HS1")


async def test_history_of_pupils_raises_nothing_and_the_live_day_after_it_does(database, feed):
    """A year loaded from the past sets the counts; the next register is news."""
    days = school_days(31)
    past = [register(day, {"HS1": "P"}) for day in days[:30]]
    assert await feed.take(group(), pupil("HS1"), *past, backfill=True) == []
    changes = await feed.take(register(days[30], {"HS1": "P"}))
    assert "absence_45_amber" in {one.alert.rule for one in changes}


async def test_attendance_not_reported_by_nine_is_told_on_school_days_and_ends_with_the_register(database, feed):
    """At the instant, by the clock alone; not at a weekend, and not of a school that never reports."""
    early = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)  # 08:00
    await feed.take(group("6A"), group("6B"), pupil("HS1"), register(date(2026, 11, 23), {}), now=early)
    await feed.take(group("1A", school=SECOND_SCHOOL), now=early)

    async def look(now: datetime) -> list[tuple[Transition, str, int]]:
        async with database.transaction() as held:
            _, changes = await usecases.look_at_due_facts(held, moment(now), limit=100, renew=usecases.renew)
        return [(one.transition, one.alert.rule, one.alert.unit_id) for one in changes]

    assert await look(datetime(2026, 11, 24, 1, 59, tzinfo=UTC)) == []
    nine = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    assert await look(nine) == [(Transition.RAISED, "attendance_unreported", SCHOOL)]
    assert (await fact(database, "", "attendance_report"))["missing_classes"] == 2
    [fewer] = await feed.take(register(date(2026, 11, 24), {}, class_key="6A"), now=nine)
    assert (fewer.transition, fewer.told, fewer.alert.facts["missing_classes"]) == (Transition.UPDATED, False, "1")
    [ended] = await feed.take(register(date(2026, 11, 24), {}, class_key="6B"), now=nine + timedelta(minutes=5))
    assert (ended.transition, ended.alert.rule) == (Transition.RESOLVED, "attendance_unreported")
    saturday = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
    assert await look(saturday) == []


async def test_a_day_far_above_the_same_weekday_before_is_a_spike(database, feed):
    """Nine of 35 where one is usual; the next ordinary day ends it. Few, or without comparison, are none."""
    tuesdays = [date(2026, 10, 27) + timedelta(days=7 * week) for week in range(5)]
    keys = [f"HS{number}" for number in range(9)]
    await feed.take(group(), *(pupil(key) for key in keys))
    await feed.take(*(register(day, {keys[0]: "P"}) for day in tuesdays[:4]))
    assert not {rule for rule, _ in await opened(database) if rule.startswith("absence")}
    changes = await feed.take(register(tuesdays[4], dict.fromkeys(keys, "P")))
    assert {(one.transition, one.alert.rule) for one in changes if one.alert.family == "statistics"} == {
        (Transition.RAISED, "absence_spike_school"),
        (Transition.SUPPRESSED, "absence_spike_class"),
    }
    spike = await fact(database, "", "absence_day")
    assert (spike["absent"], spike["expected_absent"], spike["weeks"]) == (9, 1.0, 4)
    changes = await feed.take(register(tuesdays[4] + timedelta(days=1), {}))
    assert {one.transition for one in changes} == {Transition.RESOLVED}


async def test_a_class_whose_results_are_far_below_its_grade_is_told_to_its_school(database, feed):
    """Against the other classes of the grade, by a binomial tail; the others are not."""
    pupils = [(f"{name}{number}", name) for name in ("6A", "6B") for number in range(20)]
    await feed.take(group("6A"), group("6B"), *(pupil(key, class_key=name) for key, name in pupils))
    await feed.take(
        *(
            result(key, {"TOAN": 4.0 if name == "6A" and place < 12 else 7.0})
            for place, (key, name) in enumerate(pupils)
        )
    )
    assert ("class_results_low", "2026/GK1/6A") in await opened(database)
    assert ("class_results_low", "2026/GK1/6B") not in await opened(database)


async def test_a_backtest_tells_how_long_before_leaving_it_warned_and_how_many_of_the_most_urgent_left(database, feed):
    """Three of five warned; two of them leave, 10 and 20 days after, and one leaves without a word before.

    Who had left before the time that is looked at is not among those who left.

    Of the most urgent of each class, one of two left: of 6A the one away longest, of 6B one who stays.
    """
    days, began = school_days(8), datetime(2026, 11, 12, 3, 0, tzinfo=UTC)
    pupils = {"HS1": "6A", "HS2": "6A", "HS3": "6B", "HS4": "6B"}
    await feed.take(group("6A"), group("6B"), *(pupil(key, class_key=name) for key, name in pupils.items()), now=began)
    for status, days_before in (("01", 9), ("05", 2)):
        await feed.take(pupil("HS5", class_key="6B", status=status), now=began - timedelta(days=days_before))
    away = {"HS1": 5, "HS2": 3, "HS3": 4}
    told = [
        register(
            day, {key: "K" for key, run in away.items() if pupils[key] == name and place >= 8 - run}, class_key=name
        )
        for place, day in enumerate(days)
        for name in ("6A", "6B")
    ]
    raised = await feed.take(*told, now=began)
    assert {one.alert.subject for one in raised if one.alert.rule == "absence_unexplained"} == {
        "2026/HS1", "2026/HS2", "2026/HS3",
    }  # fmt: skip
    for key, after in (("HS1", 10), ("HS2", 20), ("HS4", 30)):
        left = pupil(key, class_key=pupils[key], status="05")
        await feed.take(left, now=began + timedelta(days=after))
    async with database.connection() as reading:
        rules = await store.rule_versions(reading, frozenset({"absence_unexplained"}))
        now, since = began + timedelta(days=40), began - timedelta(days=1)
        [found, wider] = [
            await usecases.backtest(
                reading, rules["absence_unexplained", 1], {SCHOOL}, moment(now), since=since, k=count
            )
            for count in (1, 2)
        ]
    assert len(found.episodes) == 3
    outcome = found.outcome
    assert outcome is not None
    assert (outcome.pupils, outcome.left, outcome.warned, outcome.median_lead_days) == (5, 3, 2, 15.0)
    assert (outcome.top, outcome.top_left) == (2, 1)
    assert wider.outcome is not None
    assert (wider.outcome.top, wider.outcome.top_left) == (3, 2)


Seen = tuple[list[tuple[str, str, dict[str, Any]]], set[tuple[str, str]]]
days_ = st.sampled_from(school_days(6))
keys_ = st.sampled_from(["HS1", "HS2", "HS3"])
moves = st.one_of(
    st.builds(
        lambda day, away, session, gone: register(day, away, session=session, gone=gone),
        days_,
        st.dictionaries(keys_, st.sampled_from("PKM"), max_size=3),
        st.sampled_from([1, 2]),
        st.booleans(),
    ),
    st.builds(
        lambda key, status, name: pupil(key, status=status, class_key=name),
        keys_,
        st.sampled_from(["01", "05"]),
        st.sampled_from(["6A", "6B"]),
    ),
    st.builds(
        lambda key, mark, stage: result(key, {"TOAN": mark, "TIN": 4.0}, stage=stage),
        keys_,
        st.sampled_from([2.0, 4.0, 8.0]),
        st.sampled_from(["GK1", "CK1"]),
    ),
)


@given(history=st.lists(moves, min_size=1, max_size=12), data=st.data())
@settings(max_examples=25)
async def test_facts_and_alerts_equal_those_of_a_recount_whatever_the_order(database, history, data):
    """Events in any order, repeated and batched, end where one that holds the newest of each record begins."""
    placed = list(enumerate(history, start=1))
    tables = "fact, fact_history, alert, alert_step, outbox, pending, pupil, register, absence, result, school_class"

    async def state() -> Seen:
        async with database.connection() as reading:
            rows = await reading.execute(
                sa.text("SELECT kind, subject, \"values\" FROM fact WHERE kind = 'pupil' ORDER BY 1, 2")
            )
            facts = [(row.kind, row.subject, row.values) for row in rows]
        return [one for one in facts if one[2]["absent_sessions"] or one[2]["stage"]], await opened(database)

    async def replay(order: Sequence[tuple[int, records_pb2.Change]]) -> Seen:
        async with database.transaction() as held:
            await held.execute(sa.text(f"TRUNCATE {tables}"))
        feed = Feed(database)
        for position, one in order:
            await feed.take(one, first=position)
        return await state()

    shuffled = data.draw(st.permutations(placed)) + data.draw(st.lists(st.sampled_from(placed), max_size=4))
    newest = {(one.type, one.row.key): (position, one) for position, one in placed}
    assert await replay(shuffled) == await replay(sorted(newest.values(), key=lambda found: found[0]))


async def test_nothing_that_is_kept_of_pupils_can_name_them_or_their_ethnic_group(database):
    """Keys and counts: a rule cannot use what is not there."""
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name IN ('pupil', 'absence', 'result')"
    async with database.connection() as reading:
        names = set(await reading.scalars(sa.text(columns)))
    assert not {"ethnic_group", "full_name", "birth_date", "personal_id", "reason"} & (names | set(SHAPES["pupil"]))
