"""What is wrong with one record that the protos' rules cannot say: dates, births, codes, registers. The hot path."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from services.sync.convert.rules import DayRules
from services.sync.domain import problems
from services.sync.domain.births import Doubt, Years, born_in_future, implausible_birth
from services.sync.domain.calendar import day_outside_year, far_day, far_school_year
from services.sync.domain.codes import unknown_code
from services.sync.domain.problems import Called, Problem
from services.sync.domain.registers import contradictions, twice
from services.sync.domain.values import is_day
from services.sync.domain.words import Text

Name = Callable[[str], Called]  # What the sender calls the field at our path.
_PUPILS: Final = Text("học sinh khối {grade} năm học {year}", "a pupil of grade {grade} in the school year {year}")
_STAFF: Final = Text("người làm việc trong năm học {year}", "someone who works in the school year {year}")


def wrong_with(
    name: str, record: Any, rules: DayRules, names: Callable[[int, str], Called], index: int
) -> Sequence[Problem]:
    """Everything that is wrong with a record of a type, the most important first; `names` are those of the row."""
    year = record.school_year
    far = year > rules.bounds.latest_year
    doubt: Doubt | Years | None = None
    status = group = None
    if name == "pupil":
        doubt = rules.births(name, record.birth_date, year, record.grade, record.level, rules.today)
        listed = rules.listed.get(year)
        good = listed and record.status in listed.status and record.ethnic_group in listed.ethnic_group
        if good and not (far or doubt):
            return ()
        status = rules.unlisted("pupil.status", record.status, year)
        group = rules.unlisted("pupil.ethnic_group", record.ethnic_group, year)
    elif name == "staff_member":
        doubt = rules.births(name, record.birth_date, year, "", "", rules.today)
        group = rules.unlisted("staff_member.ethnic_group", record.ethnic_group, year)
    elif name == "attendance_register":
        return _register(record, rules, partial(names, index), far=far)
    elif name == "result" and len({one.subject for one in record.subject_marks}) < len(record.subject_marks):
        subjects = [one.subject for one in record.subject_marks]
        return [*([_far(name, rules, partial(names, index))] if far else ()), twice(subjects, partial(names, index))]
    if not (far or doubt or status or group):
        return ()
    called = partial(names, index)
    found = [_far(name, rules, called)] if far else []
    if doubt and not (far and isinstance(doubt, Years)):  # Of another school year the age is another.
        found.append(_birth(name, record, doubt, called))
    if status:
        found.append(unknown_code(called(f"{name}.status"), record.status, known=status))
    if group:
        found.append(unknown_code(called(f"{name}.ethnic_group"), "", known=group))
    return found


def _register(record: Any, rules: DayRules, called: Name, *, far: bool) -> list[Problem]:
    name, day, bounds = "attendance_register", record.day, rules.bounds
    found = [_far(name, rules, called)] if far else []
    if not day or not is_day(day):
        found.append(problems.invalid_date(called(f"{name}.day")))
    elif day > bounds.latest_day:
        found.append(far_day(called(f"{name}.day"), latest=bounds.latest_day))
    elif not far and (span := bounds.span(record.school_year)) and not span[0] <= day <= span[1]:
        year = called(f"{name}.school_year")
        found.append(
            day_outside_year(called(f"{name}.day"), year=year, school_year=record.school_year, span=span),
        )
    if record.exceptions:
        pupils = [one.pupil_key for one in record.exceptions]
        found += contradictions(pupils, scheduled=record.scheduled_count, called=called)
    return found


def _far(name: str, rules: DayRules, called: Name) -> Problem:
    return far_school_year(called(f"{name}.school_year"), latest=rules.bounds.latest_year)


def _birth(name: str, record: Any, doubt: Doubt | Years, called: Name) -> Problem:
    date = called(f"{name}.birth_date")
    if isinstance(doubt, Doubt):
        return problems.invalid_date(date) if doubt is Doubt.NO_DAY else born_in_future(date)
    year, words = f"{record.school_year}-{record.school_year + 1}", _PUPILS if name == "pupil" else _STAFF
    told = {"year": year, "grade": getattr(record, "grade", "")}
    also = ["grade", "level", "school_year"] if name == "pupil" else ["school_year"]
    others = {one.field: one for one in (called(f"{name}.{leaf}") for leaf in also)}
    return implausible_birth(
        date,
        whose=Text(words.vi.format(**told), words.en.format(**told)),
        years=doubt,
        also=others.values(),
    )
