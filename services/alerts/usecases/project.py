"""Follows records: what is kept of them is brought up to date, and the facts it touches are counted anew.

The order of locks is schools, facts, alerts, positions. A fact made here is always a recount of what is kept, so that
it equals one at any time; its version is taken once its school is held.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.distributions import poisson_tail
from services.alerts import store
from services.alerts.convert import RecordRows
from services.alerts.domain import PUPIL, SCHOOL_YEAR, Change, Fact
from services.alerts.domain.calendar import SchoolCalendar
from services.alerts.domain.early_warning import Marks, PupilYear, Reading, attendance_of, pupil_fields
from services.alerts.domain.shapes import ABSENCE_DAY, ATTENDANCE_REPORT, CLASS_KEY, CLASS_NAME, CLASS_RESULTS, Scalar
from services.alerts.domain.statistics import binomial_tail, usual_absence
from services.alerts.store import counting, projection
from services.alerts.store.projection import ClassYear, Identity, StageOf
from services.alerts.usecases.conclude import Verdict, conclude
from services.alerts.usecases.erasing import forget_pupils
from services.alerts.usecases.evaluate import take_facts
from services.alerts.usecases.moment import Moment

NO_MARKS = Marks()
WEEKS = 8  # With how many of the same weekday a day is compared at most.
REPORTS_WITHIN = timedelta(days=14)  # A school that reported nothing for so long does not report attendance here.


async def follow_records(
    connection: AsyncConnection, rows: RecordRows, moment: Moment, reading: Reading, *, baseline: bool
) -> list[Change]:
    """Keep changed records and evaluate the facts they touch; what comes from history raises nothing."""
    await projection.hold_schools(connection, rows.schools)
    if rows.renames:
        await _rename(connection, rows)
    pupils: set[Identity] = set()
    schools: set[int] = set()
    stages: set[StageOf] = set()
    class_years: set[ClassYear] = set()
    if rows.classes:
        schools |= await projection.merge_classes(connection, list(rows.classes.values()))
    if rows.pupils:
        seen = await projection.merge_pupils(connection, list(rows.pupils.values()))
        pupils.update(seen)
        stages |= await counting.stages_of(connection, seen) if seen else set()
    if rows.registers:
        class_years, gone = await projection.merge_registers(connection, list(rows.registers.values()), rows.absences)
        pupils |= gone | await counting.away_of_classes(connection, class_years)
        schools |= {school_id for school_id, _, _ in class_years}
    if rows.results:
        found, changed = await projection.merge_results(connection, list(rows.results.values()))
        pupils |= found
        stages |= changed
    erased: list[Verdict] = []
    for school_id, keys in rows.restricted.items():
        erased += (await forget_pupils(connection, school_id, keys, moment)).verdicts
    version = await store.next_versions(connection)
    facts = [
        *await pupil_facts(connection, pupils, reading, version=version, baseline=baseline),
        *await absence_facts(connection, class_years, version=version, baseline=baseline),
        *await result_facts(connection, stages, version=version, baseline=baseline),
        *await report_facts(connection, schools, moment, version=version, baseline=baseline),
    ]
    changes = await take_facts(connection, facts, moment)
    return [*changes, *await conclude(connection, erased, moment.unit_name)]


async def _rename(connection: AsyncConnection, rows: RecordRows) -> None:
    """Let facts and alerts on pupils go on under their new keys."""
    for school_id, year, before, after in await projection.rename_pupils(connection, rows.renames):
        await store.rename_subject(
            connection, school_id, kind=PUPIL, before=f"{year}/{before}", after=f"{year}/{after}"
        )
        await store.drop_fact(connection, (school_id, PUPIL, f"{year}/{before}"))


async def pupil_facts(
    connection: AsyncConnection, identities: Iterable[Identity], reading: Reading, *, version: int, baseline: bool
) -> list[Fact]:
    """The facts of these pupils."""
    found = await counting.pupils(connection, identities) if identities else []
    if not found:
        return []
    wanted = [(row.school_id, row.key) for row in found]
    away = await counting.away_days(connection, wanted)
    classes = {(row.school_id, row.school_year, row.class_key) for row in found}
    days = await counting.class_days(connection, classes)
    names = await counting.class_names(connection, classes)
    marks = await counting.newest_marks(connection, wanted, reading.stages)
    facts = []
    for row in found:
        identity = row.school_id, row.key, row.school_year
        limits = reading.limits_in(row.school_year)
        attendance = attendance_of(
            days.get((row.school_id, row.school_year, row.class_key), ()),
            away.get(identity, {}),
            recent_days=limits.recent_days if limits else 30,
        )
        year = PupilYear(
            key=row.key,
            class_key=row.class_key,
            grade=row.grade,
            school_year=row.school_year,
            in_stock=row.in_stock,
            attendance=attendance,
            marks=marks.get(identity, NO_MARKS),
            class_name=names.get((row.school_id, row.school_year, row.class_key), ""),
        )
        subject = f"{row.school_year}/{row.key}"
        facts.append(Fact(PUPIL, row.school_id, subject, version, pupil_fields(year, limits), baseline))
    return facts


async def absence_facts(
    connection: AsyncConnection, classes: Iterable[ClassYear], *, version: int, baseline: bool
) -> list[Fact]:
    """Facts of schools and classes on the last day reported; classes other than those given did not change."""
    given = set(classes)
    if not given:
        return []
    schools = {(school_id, year) for school_id, year, _ in given}
    newest = await counting.absence_before(connection, schools, most_days=WEEKS)
    names = await counting.class_names(connection, given)
    facts = []
    for (school_id, year, class_key), days in newest.items():
        last = newest.get((school_id, year, ""), days)[0][0]
        if class_key and ((school_id, year, class_key) not in given or days[0][0] != last):
            continue
        (day, scheduled, absent), *before = days
        usual = usual_absence(scheduled, [(expected, away) for _, expected, away in before])
        values: dict[str, Scalar] = {
            SCHOOL_YEAR: year,
            CLASS_KEY: class_key,
            CLASS_NAME: names.get((school_id, year, class_key), ""),
            "day": day.isoformat(),
            "scheduled": scheduled,
            "absent": absent,
            "expected_absent": usual,
            "weeks": len(before),
            "tail": poisson_tail(absent, usual) if before else 1.0,
        }
        facts.append(
            Fact(ABSENCE_DAY, school_id, f"{year}/{class_key}" if class_key else "", version, values, baseline)
        )
    return facts


async def result_facts(
    connection: AsyncConnection, stages: Iterable[StageOf], *, version: int, baseline: bool
) -> list[Fact]:
    """Facts of every class of these schools at these stages, each against the other classes of its grade."""
    rows = await counting.class_stages(connection, stages) if stages else []
    names = await counting.class_names(connection, {(one.school_id, one.school_year, one.class_key) for one in rows})
    grades: dict[tuple[int, int, str, str], list[counting.ClassStage]] = {}
    for row in rows:
        grades.setdefault((row.school_id, row.school_year, row.stage, row.grade), []).append(row)
    facts = []
    for peers in grades.values():
        for row in peers:
            others = [one for one in peers if one is not row]
            pupils, failing = sum(one.pupils for one in others), sum(one.failing for one in others)
            marks, count = sum(one.mark_sum for one in others), sum(one.mark_count for one in others)
            share = failing / pupils if pupils else 0.0
            values: dict[str, Scalar] = {
                SCHOOL_YEAR: row.school_year,
                CLASS_KEY: row.class_key,
                CLASS_NAME: names.get((row.school_id, row.school_year, row.class_key), ""),
                "grade": row.grade,
                "stage": row.stage,
                "pupils": row.pupils,
                "failing": row.failing,
                "grade_failing_share": round(share, 4),
                "mean_mark": round(row.mark_sum / row.mark_count, 2) if row.mark_count else 0.0,
                "grade_mean_mark": round(marks / count, 2) if count else 0.0,
                "tail": binomial_tail(row.failing, row.pupils, share) if pupils else 1.0,
            }
            subject = f"{row.school_year}/{row.stage}/{row.class_key}"
            facts.append(Fact(CLASS_RESULTS, row.school_id, subject, version, values, baseline))
    return facts


async def report_facts(
    connection: AsyncConnection, schools: Iterable[int], moment: Moment, *, version: int, baseline: bool
) -> list[Fact]:
    """What schools reported of today's attendance; each is looked at again at the next time to report by."""
    if moment.calendar is None:
        return []
    by_year: dict[int, list[int]] = {}
    for school_id in schools:
        by_year.setdefault(moment.years(school_id).of(moment.today), []).append(school_id)
    facts = []
    for year, held in by_year.items():
        counts = await counting.reported(connection, held, day=moment.today, school_year=year)
        for school_id, counted in counts.items():
            calendar = moment.calendar(school_id)
            values = _report(counted, calendar, moment, year)
            due = calendar.next_deadline(moment.now)
            facts.append(Fact(ATTENDANCE_REPORT, school_id, "", version, values, baseline, look_time=due))
    return facts


def _report(
    counted: counting.Reported, calendar: SchoolCalendar, moment: Moment, school_year: int
) -> dict[str, Scalar]:
    today = moment.today
    return {
        SCHOOL_YEAR: school_year,
        "day": today.isoformat(),
        "school_day": calendar.is_school_day(today),
        "past_deadline": _past(calendar.deadline(today), moment.now),
        "expected_classes": counted.expected,
        "reported_classes": counted.reported,
        "missing_classes": max(counted.expected - counted.reported, 0),
        "reports_at_all": counted.last_day is not None and counted.last_day > today - REPORTS_WITHIN,
    }


def _past(deadline: datetime, now: datetime) -> bool:
    return now >= deadline


async def renew(connection: AsyncConnection, facts: Sequence[Fact], moment: Moment) -> list[Fact]:
    """These facts with those made anew that time alone changes: what schools reported of a day that has begun."""
    due = {fact.unit_id: fact for fact in facts if fact.kind == ATTENDANCE_REPORT}
    if not due:
        return list(facts)
    made = await report_facts(connection, due, moment, version=0, baseline=False)
    fresh = {fact.unit_id: fact for fact in made}
    renewed = [
        Fact(
            fact.kind,
            fact.unit_id,
            fact.subject,
            fact.version,
            fresh[fact.unit_id].values,
            look_time=fresh[fact.unit_id].look_time,
        )
        if fact.unit_id in fresh and fact.kind == ATTENDANCE_REPORT
        else fact
        for fact in facts
    ]
    await store.renew_facts(connection, [fact for fact in renewed if fact.kind == ATTENDANCE_REPORT])
    return renewed
