"""Primary school under TT 27/2020: the result of the year and completing the class. Formulas, nothing else.

As in `secondary`, whoever does not know a value asks with the worst and the best it could be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Final

from services.records.domain.assessment_rules import PrimaryRule


class YearResult(IntEnum):
    """The four results of a year (Art. 9)."""

    INCOMPLETE = 0  # Chưa hoàn thành
    COMPLETED = 1  # Hoàn thành
    COMPLETED_WELL = 2  # Hoàn thành tốt
    EXCELLENT = 3  # Hoàn thành xuất sắc

    @property
    def code(self) -> str:
        """As school reports write it."""
        return _CODES[self]


_CODES: Final = ("CHT", "HT", "HTT", "HTXS")
YEAR_RESULTS: Final = {result.code: result for result in YearResult}
SUBJECT_LEVELS: Final = ("C", "H", "T")  # Chưa hoàn thành, Hoàn thành, Hoàn thành tốt; worst first (Art. 7.1)
QUALITY_LEVELS: Final = ("C", "Đ", "T")  # Cần cố gắng, Đạt, Tốt; worst first (Art. 8)


@dataclass(frozen=True, slots=True)
class YearEnd:
    """What a year's result is made of."""

    subjects: tuple[str, ...]
    qualities: tuple[str, ...]  # qualities and competences (phẩm chất, năng lực)
    tests: tuple[Decimal, ...]  # marks of the tests at the end of the year


def year_result(found: YearEnd, rule: PrimaryRule) -> YearResult:
    """The result of the year (Art. 9.1)."""
    for one in rule.results:
        if (
            _reach(found.subjects, one.subjects, SUBJECT_LEVELS)
            and _reach(found.qualities, one.qualities, QUALITY_LEVELS)
            and all(mark >= one.every_test for mark in found.tests)
        ):
            return YEAR_RESULTS[one.result]
    return YearResult.INCOMPLETE


def class_completed(result: YearResult) -> bool:
    """Whether the class is completed as it is; below that the head teacher decides, after more help (Art. 11.1)."""
    return result >= YearResult.COMPLETED


def _reach(levels: Sequence[str], least: str, scale: Sequence[str]) -> bool:
    return all(scale.index(level) >= scale.index(least) for level in levels)
