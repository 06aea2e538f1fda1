"""A pupil's year under TT 27/2020: the result of the year and completing the class, beside the school's own.

As under TT 22, what is not known is taken at its worst and at its best.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from services.records.domain.assessment_rules import AssessmentRules, PrimaryRule
from services.records.domain.findings import (
    Figure,
    Finding,
    Lack,
    Missing,
    PupilYear,
    StageResult,
    SubjectEntry,
    compared,
    yes_or_no,
)
from services.records.domain.primary import (
    QUALITY_LEVELS,
    SUBJECT_LEVELS,
    YearEnd,
    YearResult,
    class_completed,
    year_result,
)

SECOND, YEAR = "CK2", "CN"
_RESULT: Final = "TT 27/2020/TT-BGDĐT, Điều 9.1"
_PROMOTED: Final = "TT 27/2020/TT-BGDĐT, Điều 11.1"
_BEST_TEST, _WORST_TEST = Decimal(10), Decimal(0)


def assess_primary(year: PupilYear, rule: PrimaryRule, rules: AssessmentRules) -> Iterator[Finding]:
    """The figures of the end of the year. What the year's results leave out is taken from the second term's."""
    if SECOND not in year.results and YEAR not in year.results:
        return
    second, own = (year.results.get(stage, StageResult()) for stage in (SECOND, YEAR))
    names = dict.fromkeys([*second.subjects, *own.subjects])
    entries = {name: [one.subjects.get(name, SubjectEntry()) for one in (own, second)] for name in names}
    subjects = {name: _first(rules.code("subject_level", one.level) for one in both) for name, both in entries.items()}
    tests = [test for both in entries.values() if (test := _test(both)) is not None]
    given = own.qualities or second.qualities or tuple(filter(None, [own.conduct_result or second.conduct_result]))
    qualities = [rules.code("quality", level) for level in given]

    lacks = [Missing(Lack.LEVEL, YEAR, name) for name, level in subjects.items() if not level]
    if len(tests) < rule.tests_least:
        lacks.append(Missing(Lack.TESTS, YEAR, count=len(tests), wanted=rule.tests_least))
    if not given:
        lacks.append(Missing(Lack.QUALITIES, YEAR))
    if not all(qualities):
        lacks.append(Missing(Lack.UNKNOWN_CODE, YEAR))
    if not subjects:
        lacks.append(Missing(Lack.LEVEL, YEAR))

    def at(place: int, test: Decimal) -> YearResult:
        more = (test,) * max(0, rule.tests_least - len(tests))
        return year_result(
            YearEnd(
                _filled(list(subjects.values()), SUBJECT_LEVELS[place]),
                _filled(qualities, QUALITY_LEVELS[place]),
                (*tests, *more),
            ),
            rule,
        )

    worst, best = at(0, _WORST_TEST), at(-1, _BEST_TEST)
    decided = worst is best
    yield compared(
        Finding(YEAR, Figure.LEARNING_RESULT, _RESULT, missing=() if decided else tuple(lacks)),
        own=own.learning_result,
        computed=worst.code if decided else None,
        readable=rules.code("year_result", own.learning_result) or None,
    )
    if class_completed(worst):
        lacks = []
    elif not class_completed(best):
        lacks = [Missing(Lack.HEAD_TEACHER, YEAR)]
    said = yes_or_no(own.promoted)
    yield compared(
        Finding(YEAR, Figure.PROMOTED, _PROMOTED, missing=tuple(lacks)),
        own=said,
        computed=None if lacks else "true",
        readable=said,
    )


def _first(codes: Iterator[str]) -> str:
    return next(filter(None, codes), "")


def _test(entries: Sequence[SubjectEntry]) -> Decimal | None:
    """The mark of the test at the end of the year."""
    marks = (mark for one in entries for mark in (one.final, one.mark))
    return next((mark for mark in marks if mark is not None), None)


def _filled(levels: Sequence[str], unknown: str) -> tuple[str, ...]:
    """Levels, with this one for those that are not known; also where there is none at all."""
    return tuple(level or unknown for level in levels) or (unknown,)
