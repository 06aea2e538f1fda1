"""Lower and upper secondary school under TT 22/2021: averages, levels, titles, moving up. Formulas, nothing else.

Marks are decimals, never binary floats: 8.25 is a tie and goes up. Whoever does not know a value asks twice, with the
worst and the best it could be: every function here is monotone, so equal answers are the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import IntEnum
from typing import Final

from services.records.domain.assessment_rules import SecondaryRule

BEST_MARK: Final = Decimal(10)
WORST_MARK: Final = Decimal(0)


class Level(IntEnum):
    """The four levels of learning and of conduct (Art. 8.2, 9.2)."""

    UNSATISFACTORY = 0  # Chưa đạt
    SATISFACTORY = 1  # Đạt
    FAIR = 2  # Khá
    GOOD = 3  # Tốt

    @property
    def code(self) -> str:
        """As school reports write it."""
        return _CODES[self]


_CODES: Final = ("CĐ", "Đ", "K", "T")
LEVELS: Final = {level.code: level for level in Level}


@dataclass(frozen=True, slots=True)
class Results:
    """The results of all subjects of a term or a year."""

    marks: tuple[Decimal, ...]  # averages of the subjects that are scored
    passed: tuple[bool, ...]  # of those assessed by comment, whether they are Đạt


def rounded(value: Decimal, rule: SecondaryRule) -> Decimal:
    """A mark with one decimal, ties up (Art. 5.3.b)."""
    return value.quantize(rule.step, ROUND_HALF_UP)


def term_average(regular: Sequence[Decimal], midterm: Decimal, final: Decimal, rule: SecondaryRule) -> Decimal:
    """The average of a subject in a term, ĐTBmhk = (ΣTX + 2·GK + 3·CK) / (số TX + 5) (Art. 9.1.b)."""
    weights = len(regular) + rule.midterm_weight + rule.final_weight
    total = sum(regular, Decimal(0)) + rule.midterm_weight * midterm + rule.final_weight * final
    return rounded(total / weights, rule)


def year_average(first: Decimal, second: Decimal, rule: SecondaryRule) -> Decimal:
    """The average of a subject in the year, ĐTBmcn = (ĐTBmhkI + 2·ĐTBmhkII) / 3 (Art. 9.1.b)."""
    return rounded((first + rule.second_term_weight * second) / (1 + rule.second_term_weight), rule)


def level_of(results: Results, rule: SecondaryRule) -> Level:
    """The learning level before any adjustment (Art. 9.2)."""
    failed = results.passed.count(False)
    for one in rule.levels:
        enough = sum(mark >= one.their_mark for mark in results.marks) >= one.subjects_least
        if enough and failed <= one.failed_comments_most and all(mark >= one.every_mark for mark in results.marks):
            return LEVELS[one.level]
    return Level.UNSATISFACTORY


def learning_result(results: Results, rule: SecondaryRule) -> Level:
    """The learning level of a term or a year (Art. 9.2, 9.3).

    Lowered by two levels or more below Tốt or Khá solely by one subject, that is, had this subject alone been better,
    it is raised to the next level. What is two levels above another is never less than Khá.
    """
    found = level_of(results, rule)
    if found + rule.lowered_levels > Level.GOOD:  # Nothing is so far above it.
        return found
    reached = max((level_of(one, rule) for one in _with_one_better(results)), default=found)
    return Level(found + 1) if reached - found >= rule.lowered_levels else found


def _with_one_better(results: Results) -> list[Results]:
    marks, passed = results.marks, results.passed
    better = [
        Results((*marks[:place], BEST_MARK, *marks[place + 1 :]), passed)
        for place, mark in enumerate(marks)
        if mark < BEST_MARK
    ]
    return better + [
        Results(marks, (*passed[:place], True, *passed[place + 1 :])) for place, one in enumerate(passed) if not one
    ]


def conduct_of_year(first: Level, second: Level) -> Level:
    """The conduct of the year from that of both terms (Art. 8.2.b)."""
    if second is Level.GOOD:
        return Level.GOOD if first >= Level.FAIR else Level.FAIR
    if second is Level.FAIR:
        return Level.FAIR if first >= Level.SATISFACTORY else Level.SATISFACTORY
    if second is Level.SATISFACTORY:
        return Level.FAIR if first is Level.GOOD else Level.SATISFACTORY
    return Level.UNSATISFACTORY


def title_of(learning: Level, conduct: Level, marks: Sequence[Decimal], rule: SecondaryRule) -> str:
    """The title of the year: XS (Học sinh Xuất sắc), G (Học sinh Giỏi) or none (Art. 15.1.a)."""
    if learning is not Level.GOOD or conduct is not Level.GOOD:
        return ""
    excellent = sum(mark >= rule.excellent_mark for mark in marks) >= rule.excellent_subjects_least
    return "XS" if excellent else "G"


def promoted(learning: Level, conduct: Level, absent_sessions: int, *, absent_most: int) -> bool:
    """Whether a pupil moves up or completes the programme, levels as they are after the summer (Art. 12.1)."""
    satisfactory = min(learning, conduct) >= Level.SATISFACTORY
    return satisfactory and absent_sessions <= absent_most
