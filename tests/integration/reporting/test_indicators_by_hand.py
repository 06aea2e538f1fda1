"""Every indicator of the catalogue against numbers worked by hand; the work stands beside the numbers."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from iocedu.chassis.v1 import scopes_pb2
from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2

from chassis.database import Database
from chassis.errors import Fault
from chassis.scopes import ScopeTree
from chassis.testing import FixedClock
from services.reporting import convert
from services.reporting.domain.recorded import recorded
from services.reporting.store import outside, projection, recount
from services.reporting.store.catalogue import load_catalogue
from services.reporting.store.mirror import Mirror
from services.reporting.store.outside import PopulationRow
from services.reporting.store.recorded import facts_page
from services.reporting.usecases.places import Divider
from services.reporting.usecases.querying import Question, Questions
from tests.integration.reporting import scenes
from tests.integration.reporting.scenes import NEW_COMMUNE, NOW, PRIMARY, PROVINCE, SECONDARY, SILENT, YEAR
from tests.support.databases import DatabaseFactory

TODAY = date(2026, 11, 2)
KINDERGARTEN = SILENT
TREE = ScopeTree.from_chunks([scopes_pb2.ScopeChunk(units=scenes.units())])


class Feed:
    """Brings records into a database as reporting's consumer does, one after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._position = 0

    async def take(self, school: int, *records: tuple[str, Any]) -> None:
        """Merge records of a school: pairs of a key and a message."""
        changes = [self._change(school, key, record) for key, record in records]
        rows, details = await convert.fact_rows(changes), await convert.detail_rows(changes)
        async with self.database.transaction() as connection:
            await projection.merge(connection, rows, details, data_time=NOW)

    def _change(self, school: int, key: str, record: Any) -> records_pb2.Change:
        self._position += 1
        kind = next(
            field.name
            for field in resources_pb2.Row.DESCRIPTOR.oneofs_by_name["record"].fields
            if field.message_type is record.DESCRIPTOR
        )
        row = resources_pb2.Row(key=key, version=1, **{kind: record})
        number = {"school_profile": "SCHOOL"}.get(kind, kind.upper())
        return records_pb2.Change(
            school_id=school,
            type=getattr(resources_pb2, f"OBJECT_TYPE_{number}"),
            row=row,
            position=self._position,
        )


def pupils(keys: str, *, born: int, grade: str, level: str, class_key: str, **fields: Any) -> Iterable[tuple[str, Any]]:
    """Pupils alike, a key each; `sex` goes by capital letters: girls are written large."""
    for key in keys.split():
        sex = "2" if key[0].isupper() else "1"
        given: dict[str, Any] = {"status": "01", "sex": sex} | fields
        yield (
            key,
            resources_pb2.Pupil(
                school_year=YEAR, birth_date=f"{born}-05-06", grade=grade, level=level, class_key=class_key, **given
            ),
        )


def a_class(key: str, *, grade: str, level: str, two: bool, several: bool = False) -> tuple[str, Any]:
    """A class."""
    return key, resources_pb2.SchoolClass(
        school_year=YEAR, name=key, grade=grade, level=level, two_session=two, multi_grade=several
    )


def staff(keys: str, *, group: str = "03", status: str = "01", **fields: Any) -> Iterable[tuple[str, Any]]:
    """Members of staff alike."""
    for key in keys.split():
        yield key, resources_pb2.StaffMember(school_year=YEAR, sex="2", staff_group=group, status=status, **fields)


def register(class_key: str, day: date, scheduled: int, absent: str = "") -> tuple[str, Any]:
    """The register of a morning."""
    record = resources_pb2.AttendanceRegister(
        school_year=YEAR, class_key=class_key, day=day.isoformat(), session=1, scheduled_count=scheduled
    )
    for one in absent.split():
        key, kind = one.split(":")
        record.exceptions.add(pupil_key=key, kind=kind)
    return f"{class_key} {day}", record


def result(
    pupil: str, stage: str, regulation: str, learning: str, conduct: str = "", *, promoted: bool | None = None,
    judged: str = "", **marks: float,
) -> tuple[str, Any]:  # fmt: skip
    """Results of a pupil at a stage; `judged` are the levels of subjects without marks."""
    record = results_pb2.Result(
        school_year=YEAR, pupil_key=pupil, stage=stage, regulation=regulation, learning_result=learning,
        conduct_result=conduct, promoted=promoted,
    )  # fmt: skip
    for level in judged.split():
        record.subject_marks.add(subject=f"M{len(record.subject_marks)}", level=level)
    for subject, mark in marks.items():
        record.subject_marks.add(subject=subject, mark=mark)
    return f"{pupil} {stage}", record


@pytest.fixture
async def feed(database_factory: DatabaseFactory) -> Feed:
    """A fresh database of reporting, and how records get into it."""
    return Feed(await database_factory("reporting"))


def questions(feed: Feed) -> Questions:
    """Who answers from it."""
    return Questions(load_catalogue(), Mirror(feed.database), Divider(), clock=FixedClock(NOW))


async def values(feed: Feed, *codes: str, **asked: Any) -> dict[Any, float | None]:
    """Values by code, and by dimension values where any were asked for."""
    question = Question(unit="1", indicators=codes, **asked)
    answer = await questions(feed).ask(question, tree=TREE, today=TODAY)
    return {
        (one.indicator, *one.dimension_values) if one.dimension_values else one.indicator: one.value
        for one in answer.figures
    }


async def _primary(feed: Feed) -> None:
    """12 pupils in stock: 10 of 8 years in 3A (6 girls), and in 3B one of 10 and one of 12; a further one has left."""
    plausible_girl, plausible_boy = "048318000001", "048218000001"  # 21st century, 2018.
    await feed.take(
        PRIMARY,
        a_class("3A", grade="03", level="02", two=True),
        a_class("3B", grade="03", level="02", two=True, several=True),
        *pupils("A B C D", born=2018, grade="03", level="02", class_key="3A", personal_id=plausible_girl),
        *pupils("E", born=2018, grade="03", level="02", class_key="3A", personal_id=plausible_boy),
        *pupils("F", born=2018, grade="03", level="02", class_key="3A"),
        *pupils("a b c d", born=2018, grade="03", level="02", class_key="3A", personal_id=plausible_boy),
        *pupils("e", born=2016, grade="03", level="02", class_key="3B"),
        *pupils("f", born=2014, grade="03", level="02", class_key="3B"),
        *pupils("g", born=2018, grade="03", level="02", class_key="3A", status="05"),
        *staff("t1 t2"),
        *staff("m1", group="01", contract="02", qualification="06"),
        *staff("t3", status="06"),
        register("3A", TODAY, 10, "a:P B:K"),
        result("A", "CN", "TT27", "HTXS", TOAN=9),
        result("a", "CN", "TT27", "Hoàn thành tốt"),
        ("10", resources_pb2.School(school_year=YEAR, name="TH", national_standard=True)),
    )


async def _secondary(feed: Feed) -> None:
    """4 pupils in 6A, three of 11 and one of 15; two are girls."""
    girl, boy = "048315000001", "048215000001"
    await feed.take(
        SECONDARY,
        a_class("6A", grade="06", level="03", two=False),
        *pupils("R S", born=2015, grade="06", level="03", class_key="6A", personal_id=girl),
        *pupils("r", born=2015, grade="06", level="03", class_key="6A", personal_id=boy),
        *pupils("s", born=2011, grade="06", level="03", class_key="6A", personal_id="048211000001"),
        *staff("t1 t2", subject="TOAN", qualification="05", contract="01"),
        *staff("t3", subject="VAN"),
        register("6A", date(2026, 10, 30), 4, "r:K"),
        register("6A", TODAY, 4, "r:P s:M"),
        result("R", "CN", "TT22", "T", "T", promoted=True, TOAN=8.0, VAN=7.0),
        result("S", "CN", "TT22", "Khá", "T", promoted=True, TOAN=6.5),
        result("r", "CN", "TT22", "CD", "K", promoted=False, TOAN=3.0),
        result("s", "GK1", "TT22", "K", judged="CĐ Đ", TOAN=4.5),
        result("R", "GK1", "TT22", "", judged="CĐ", TOAN=5.0),
        result("S", "GK1", "TT22", ""),
        ("11", resources_pb2.School(school_year=YEAR, name="THCS", national_standard=False)),
    )


async def _kindergarten(feed: Feed) -> None:
    """4 children in one class: two of 5, one of 4, one of 2; one is a girl."""
    await feed.take(
        KINDERGARTEN,
        a_class("L", grade="18", level="01", two=True),
        *pupils("K k", born=2021, grade="18", level="01", class_key="L"),
        *pupils("l", born=2022, grade="18", level="01", class_key="L"),
        *pupils("m", born=2024, grade="18", level="01", class_key="L"),
        *staff("t1"),
    )


async def _around(feed: Feed) -> None:
    """What comes from outside the schools' records: connections and residents."""
    residents = {**dict.fromkeys(range(3), 1), **dict.fromkeys(range(3, 6), 2), **dict.fromkeys(range(6, 11), 6)}
    residents |= dict.fromkeys(range(11, 15), 2)
    rows = [PopulationRow(NEW_COMMUNE, YEAR, age, count, "Phổ cập 2026") for age, count in residents.items()]
    async with feed.database.transaction() as connection:
        sent = [(PRIMARY, timedelta(hours=1)), (SECONDARY, timedelta(hours=30))]
        await projection.connect_schools(
            connection, [(school, NOW - ago, NOW - ago) for school, ago in sent], data_time=None
        )
        await outside.store_population(connection, rows, subject="admin")


async def test_every_indicator_is_what_it_is_by_hand(feed):
    """A school of each kind; what comes of them was worked out on paper."""
    await _primary(feed)
    await _secondary(feed)
    await _kindergarten(feed)
    await _around(feed)
    found = await values(feed)
    expected = {
        "pupils": 20,  # 12 + 4 + 4
        "girls_share": 9 / 20 * 100,  # A–F, R S, K
        "sex_known_share": 100,
        "dropouts": 1,  # g
        "dropout_rate": 1 / 21 * 100,
        "over_age_share": 3 / 20 * 100,  # e (10 in grade 3), f (12), s (15 in grade 6)
        "personal_id_plausible_share": 12 / 20 * 100,  # A B C D, a b c d, R S r s; E has a boy's number
        "classes": 4,
        "class_size_mean": 20 / 4,
        "placed_share": 100,
        "classes_oversize": 0,
        "classes_oversize_share": 0,
        "classes_multi_grade_share": 1 / 4 * 100,
        "classes_two_session_share": 3 / 4 * 100,
        "staff": 7,  # 3 + 3 + 1 at work
        "teachers": 6,  # 2 + 3 + 1, without the manager
        "teachers_by_subject": 3,
        "teachers_by_qualification": 2,  # not the manager
        "staff_by_contract": 3,
        "pupils_per_teacher": 20 / 6,
        "teachers_per_class": 6 / 4,
        # Primary: 2 classes of two sessions take 3.0, there are 2: 1.0. Secondary: 1.9, there are 3: a surplus that
        # nobody else gets. Kindergarten: 2.2, there is 1: 1.2, which rounds up to 2.
        "teacher_shortage": 1.0 + 1.2,
        "teacher_shortage_rounded_up": 1 + 2,
        "attendance_rate": (8 + 3 + 3) / (10 + 4 + 4) * 100,
        "absence_not_permitted_rate": 2 / 18 * 100,  # B and r
        "attendance_unreported_share": 1 / 3 * 100,  # the kindergarten
        "schools_absence_spike": 0,  # 3 absences are few, and nothing is known of the weeks before
        "chronic_absence_share": 3 / 14 * 100,  # a B in 1 of 1 sessions, r in 2 of 2; 10 + 4 pupils have registers
        "severe_absence_share": 3 / 14 * 100,
        "pupils_absent_30": 0,
        "pupils_absent_38": 0,
        "pupils_absent_over_45": 0,
        "pupils_with_results": 5,  # A a R S r; s has none of the year
        "learning_good_share": 1 / 3 * 100,
        "learning_fair_share": 1 / 3 * 100,
        "learning_passed_share": 0,
        "learning_failed_share": 1 / 3 * 100,
        "conduct_good_share": 2 / 3 * 100,
        "conduct_fair_share": 1 / 3 * 100,
        "conduct_passed_share": 0,
        "conduct_failed_share": 0,
        "primary_excellent_share": 1 / 2 * 100,
        "primary_good_share": 1 / 2 * 100,
        "primary_completed_share": 0,
        "primary_not_completed_share": 0,
        "promoted_share": 2 / 3 * 100,  # R S, not r; of the others nothing is decided
        "not_promoted_share": 1 / 3 * 100,
        "failing_two_subjects_share": 1 / 2 * 100,  # s by 4.5 and one comment; R by one comment alone, 5.0 is enough
        "mark_mean": (9 + 8 + 7 + 6.5 + 3) / 5,
        "schools": 3,
        "schools_connected": 2,
        "schools_connected_share": 2 / 3 * 100,
        "schools_fresh_24h_share": 1 / 3 * 100,
        "schools_fresh_72h_share": 2 / 3 * 100,
        "schools_national_standard_share": 1 / 2 * 100,
        "ger_primary": 12 / 30 * 100,
        "ger_lower_secondary": 4 / 8 * 100,
        "ner_primary": 11 / 30 * 100,  # without f, who is 12
        "ner_lower_secondary": 3 / 8 * 100,  # without s, who is 15
        "nursery_mobilisation_rate": 1 / 3 * 100,
        "kindergarten_mobilisation_rate": 3 / 6 * 100,
        "five_year_old_mobilisation_rate": 2 / 2 * 100,
    }
    assert found == {code: pytest.approx(value) for code, value in expected.items()}
    everything = {one.code for one in load_catalogue().indicators if not one.sensitive}
    assert everything == expected.keys(), "an indicator without a number worked by hand"
    async with feed.database.connection() as connection:
        assert await recount.differences(connection) == []


async def test_means_and_shares_by_stage_and_subject_are_those_of_the_stage(feed):
    """At GK1 there is one result, a fair one; marks of mathematics and literature stand apart."""
    await _secondary(feed)
    shares = await values(feed, "learning_fair_share", dimensions=("stage",))
    assert shares == {
        ("learning_fair_share", "CN"): pytest.approx(100 / 3),
        ("learning_fair_share", "GK1"): 100,
    }
    means = await values(feed, "mark_mean", dimensions=("subject",))
    assert means == {("mark_mean", "TOAN"): pytest.approx(17.5 / 3), ("mark_mean", "VAN"): 7}


async def test_the_45_session_count_passes_its_thresholds_one_after_the_other(feed):
    """Of four pupils of grade 6 one was absent 46 days, one 38, one 30, one 29; a pupil of grade 3 counts nowhere."""
    days = [date(2026, 9, 7) + timedelta(days=number) for number in range(46)]
    await feed.take(
        SECONDARY,
        a_class("6A", grade="06", level="03", two=False),
        *pupils("w x y z", born=2015, grade="06", level="03", class_key="6A"),
        *pupils("q", born=2018, grade="03", level="02", class_key="6A"),
        *(
            register("6A", day, 5, " ".join(f"{key}:K" for key, most in _MOST.items() if number < most))
            for number, day in enumerate(days)
        ),
    )
    counts = await values(feed, "pupils_absent_30", "pupils_absent_38", "pupils_absent_over_45")
    assert counts == {"pupils_absent_30": 3, "pupils_absent_38": 2, "pupils_absent_over_45": 1}


_MOST = {"w": 46, "x": 38, "y": 30, "z": 29, "q": 46}


async def test_absences_are_unusually_many_against_the_same_weekday_of_weeks_before(feed):
    """Of 40 sessions 1, 2 and 3 were missed on three Mondays, so 2 are usual. Eight are beyond one in a hundred (by
    Poisson 0.0011), six are not (0.0166). Other days count nowhere, nor does a school of two Mondays.
    """
    mondays = [TODAY - timedelta(weeks=number) for number in range(1, 4)]
    today = {PRIMARY: 8, SECONDARY: 6}
    keys = [f"k{number}" for number in range(40)]

    def absent(count: int) -> str:
        return " ".join(f"{key}:K" for key in keys[:count])

    for school, now in today.items():
        await feed.take(
            school,
            *(register("A", day, 40, absent(count)) for day, count in zip(mondays, (1, 2, 3), strict=True)),
            register("A", TODAY - timedelta(days=1), 40, absent(30)),
            register("A", TODAY, 40, absent(now)),
        )
    kindergarten = [(day, 1) for day in mondays[:2]] + [(TODAY, 30)]
    await feed.take(KINDERGARTEN, *(register("A", day, 40, absent(count)) for day, count in kindergarten))
    assert await values(feed, "schools_absence_spike") == {"schools_absence_spike": 1}
    await feed.take(SECONDARY, register("A", TODAY, 40, absent(8)))
    assert await values(feed, "schools_absence_spike") == {"schools_absence_spike": 2}
    await feed.take(KINDERGARTEN, register("A", mondays[2], 40, absent(1)))
    assert await values(feed, "schools_absence_spike") == {"schools_absence_spike": 3}


async def test_what_the_data_held_cannot_tell_is_answered_with_the_reason(feed):
    """Not as a code nobody knows, and not as a zero."""
    catalogue = load_catalogue()
    assert not {one.code for one in catalogue.unavailable} & set(catalogue.codes)
    for code in ("stunted_share", "record_validity_share", "duplicate_records"):
        with pytest.raises(Fault) as refused:
            await values(feed, code)
        assert refused.value.reason == "INDICATOR_UNAVAILABLE"


async def test_absence_is_chronic_from_a_tenth_and_severe_from_a_fifth(feed):
    """Of 10 sessions one pupil missed 2, one 1 and one none."""
    days = [date(2026, 10, 1) + timedelta(days=number) for number in range(10)]
    absent = ["x:P y:P", "x:K"]
    await feed.take(
        SECONDARY,
        a_class("6A", grade="06", level="03", two=False),
        *pupils("x y z", born=2015, grade="06", level="03", class_key="6A"),
        *(register("6A", day, 3, absent[place] if place < 2 else "") for place, day in enumerate(days)),
    )
    shares = await values(feed, "chronic_absence_share", "severe_absence_share")
    assert shares == {
        "chronic_absence_share": pytest.approx(200 / 3),
        "severe_absence_share": pytest.approx(100 / 3),
    }


async def test_what_nobody_sent_is_no_zero(feed):
    """Without registers nobody knows who was absent, without residents there is no rate."""
    await _kindergarten(feed)
    codes = ("pupils_absent_30", "attendance_rate", "attendance_unreported_share", "ger_primary", "teacher_shortage")
    assert await values(feed, *codes) == {
        "pupils_absent_30": None,
        "attendance_rate": None,
        "attendance_unreported_share": None,
        "ger_primary": None,
        "teacher_shortage": pytest.approx(1.2),
    }


async def test_disability_is_given_for_the_whole_province_and_withheld_when_small(feed):
    """Five are told and four are not; a commune, a breakdown and another day are refused."""
    await feed.take(PRIMARY, *pupils("a b c d", born=2018, grade="03", level="02", class_key="3A", disability="01"))
    question = Question(unit="1", indicators=("pupils_with_disability",))
    few = await questions(feed).ask(question, tree=TREE, today=TODAY)
    assert [(one.value, one.suppressed) for one in few.figures] == [(None, True)]
    await feed.take(PRIMARY, *pupils("e", born=2018, grade="03", level="02", class_key="3A", disability="02"))
    assert await values(feed, "pupils_with_disability") == {"pupils_with_disability": 5}
    refusals: tuple[dict[str, str], ...] = (
        {"unit": str(NEW_COMMUNE)},
        {"breakdown": "commune"},
        {"hierarchy_as_of": "2024-01-01"},
    )
    for changes in refusals:
        asked = replace(Question(str(PROVINCE), ("pupils_with_disability",)), **changes)  # type: ignore[arg-type]  # texts
        with pytest.raises(Fault) as refused:
            await questions(feed).ask(asked, tree=TREE, today=TODAY)
        assert refused.value.reason == "SENSITIVE_COMBINATION"


async def test_as_many_records_stand_behind_a_cell_as_it_counts(feed):
    """Whatever the indicator and its dimensions, of the numerator and the denominator, and each of them once."""
    for send in (_primary, _secondary, _kindergarten, _around):
        await send(feed)
    asked = questions(feed)
    opened = set()
    for indicator in asked.catalogue.indicators:
        if indicator.sensitive:
            continue
        for dimensions in ((), *((one,) for one in indicator.dimensions if one != "ethnic_group")):
            question = Question("1", (indicator.code,), YEAR, dimensions=dimensions)
            for figure in (await asked.ask(question, tree=TREE, today=TODAY)).figures:
                counts = (figure.numerator, figure.denominator) if indicator.is_ratio else (figure.value,)
                for term, count in zip(indicator.terms, counts, strict=True):
                    wanted = recorded(term, dimensions, figure.dimension_values)
                    if wanted is None or count is None:
                        continue
                    found: list[tuple[int, str, str]] = []
                    async with feed.database.connection() as connection:
                        while page := await facts_page(
                            connection, wanted, school_year=YEAR, schools=[PRIMARY, SECONDARY, KINDERGARTEN],
                            after=found[-1][:2] if found else (0, ""), limit=3,
                        ):  # fmt: skip
                            found += page
                    assert len({one[:2] for one in found}) == len(found) == count, (indicator.code, dimensions, term)
                    opened.add(indicator.code)
    assert {
        "pupils",
        "dropout_rate",
        "placed_share",
        "teachers",
        "classes_oversize_share",
        "pupils_absent_30",
    } <= opened
    assert {"chronic_absence_share", "primary_excellent_share", "kindergarten_mobilisation_rate"} <= opened
