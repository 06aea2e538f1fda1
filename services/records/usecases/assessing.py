"""Pupils assessed: their results and registers as they are now, by the circular of their grade and school year."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.convert.assessing import differing, pupil_year
from services.records.domain.assessing import assess
from services.records.domain.assessment_rules import AssessmentRules
from services.records.domain.attendance import Absence, Absences, ClassDays, absence_of
from services.records.domain.findings import Assessment, Finding, StageResult
from services.records.store import attendance, pupil_years

LOOKED_AT: Final = 1_000  # pupils that one call looks at for those who differ
AT_ONCE: Final = 200
SLICE: Final = 50  # pupils between two looks at the loop: assessing one takes 0.6 to 0.9 ms

Pupil = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Assessed:
    """A pupil with what was found, and the findings asked for."""

    pupil: Pupil
    assessment: Assessment
    findings: tuple[Finding, ...]
    absence: Absence | None  # None: the grade has no limit


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pupils and findings of a school are asked for."""

    school_id: int
    school_year: int
    class_key: str = ""  # empty: of all classes
    stage: str = ""  # empty: of all stages
    only_differing: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Pupils, and the key to go on after; empty at the end."""

    assessed: list[Assessed]
    after: str


async def assess_pupil(
    connection: AsyncConnection, rules: AssessmentRules, wanted: Wanted, key: str
) -> Assessed | None:
    """One pupil; None where the school has no such pupil in that year."""
    pupil = await pupil_years.pupil_of_year(connection, wanted.school_id, wanted.school_year, key)
    if pupil is None:
        return None
    days = await attendance.class_days(connection, wanted.school_id, wanted.school_year, class_key=pupil["class_key"])
    (assessed,) = await _assess(connection, rules, wanted, [pupil], days)
    return assessed


async def assess_page(
    connection: AsyncConnection, rules: AssessmentRules, wanted: Wanted, *, after: str, most: int
) -> Page:
    """The next pupils after a key, at most `most`."""
    found: list[Assessed] = []
    days = await attendance.class_days(connection, wanted.school_id, wanted.school_year)
    looked_at = 0
    while looked_at < LOOKED_AT:
        step = AT_ONCE if wanted.only_differing else most
        pupils = await pupil_years.pupils_page(
            connection, wanted.school_id, wanted.school_year, class_key=wanted.class_key, after=after, most=step + 1
        )
        looked_at += step
        for one in await _assess(connection, rules, wanted, pupils[:step], days):
            after = one.pupil["key"]
            if one.findings or not wanted.only_differing:
                found.append(one)
            if len(found) == most:
                last = after == pupils[-1]["key"]
                return Page(found, "" if last else after)
        if len(pupils) <= step:
            return Page(found, "")
    return Page(found, after)


async def _assess(
    connection: AsyncConnection,
    rules: AssessmentRules,
    wanted: Wanted,
    pupils: Sequence[Pupil],
    days: dict[str, ClassDays],
) -> list[Assessed]:
    keys = [pupil["key"] for pupil in pupils]
    results: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
    for row in await pupil_years.results_of(connection, wanted.school_id, wanted.school_year, keys):
        results[row["pupil_key"]].append(row)
    now = await pupil_years.keys_now(connection, wanted.school_id)
    absences = await attendance.absences_of(connection, wanted.school_id, wanted.school_year, keys, now=now)
    found = []
    for place, pupil in enumerate(pupils):
        if place % SLICE == 0:
            await asyncio.sleep(0)
        key, year = pupil["key"], pupil_year(pupil, results[pupil["key"]], school_year=wanted.school_year)
        rule, absence = rules.absence_of(pupil["grade"], wanted.school_year), None
        if rule is not None:
            own = year.results.get("CN", StageResult()).absent_days
            reported = days.get(pupil["class_key"], ClassDays())
            absence = absence_of(absences.get(key, Absences()), reported, own, rule)
            year = replace(year, absence=absence)
        assessment = assess(year, rules)
        shown = [one for one in assessment.findings if wanted.stage in ("", one.stage)]
        findings = differing(shown) if wanted.only_differing else shown
        found.append(Assessed(pupil, assessment, tuple(findings), absence))
    return found
