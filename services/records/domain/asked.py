"""What someone asks for when looking up people: words of a name, and conditions that stand beside or between them.

Reads one line as people type it: `nguyen van hoa 6A 2014`. Refuses dates the calendar does not have.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from enum import IntEnum
from typing import Final

from services.records.domain.names import search_name, typed_keys

MOST_WORDS: Final = 10  # of a name; what is typed beyond them narrows no further
ENDING: Final = 3  # signs of an id that masking leaves readable

_DATE: Final = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})|(\d{4})-(\d{1,2})-(\d{1,2})")
_CLASS: Final = re.compile(r"\d{1,2}[a-zđ]{1,2}\d{0,2}|\d{1,2}/\d{1,2}")
_GRADE: Final = re.compile(r"0?[1-9]|1[0-2]")
_YEAR: Final = re.compile(r"(19|20)\d\d")
_ENDING: Final = re.compile(rf"\d{{{ENDING}}}")
_BETWEEN: Final = re.compile(r"[,;\s]+")


class Rule(IntEnum):
    """Why a record was found, from the best to the weakest; numbers as in the interface."""

    ID = 1
    EXACT = 2
    WORDS = 3
    PREFIX = 4
    PART = 5
    TYPO = 6
    CONDITIONS = 7


@dataclass(frozen=True, slots=True)
class Asked:
    """All of it must hold. Words are folded and each stands once."""

    name: str = ""  # the whole name, folded
    words: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()  # sort keys of the words that were typed with marks
    ids: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    birth_dates: tuple[date, ...] = ()
    birth_years: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()  # folded
    grades: tuple[str, ...] = ()
    level: str = ""
    status: str = ""
    school_year: int = 0

    @property
    def anything(self) -> bool:
        """Whether there is anything to look for."""
        return self != Asked()


@dataclass(slots=True)
class _Line:
    """A typed line, taken apart."""

    words: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    birth_dates: list[date] = field(default_factory=list)
    birth_years: list[int] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    grades: list[str] = field(default_factory=list)


def read_line(line: str, beside: Asked, *, classes: bool) -> Asked:
    """Add what was typed to conditions given otherwise; `classes` says whether such people sit in any.

    Raises ValueError for a date that the calendar does not have.
    """
    taken = _Line()
    for part in _parts(line):
        _take(part, taken, classes=classes)
    typed = " ".join(taken.words)
    words = search_name(typed).split()
    return replace(
        beside,
        name=" ".join(words),
        words=tuple(dict.fromkeys(words))[:MOST_WORDS],
        spelled=typed_keys(typed),
        ids=(*beside.ids, *taken.ids),
        endings=(*beside.endings, *taken.endings),
        birth_dates=(*beside.birth_dates, *taken.birth_dates),
        birth_years=(*beside.birth_years, *taken.birth_years),
        classes=(*beside.classes, *taken.classes),
        grades=(*beside.grades, *taken.grades),
    )


def _parts(line: str) -> Iterator[str]:
    """What stands between blanks and commas; `lớp` before a class is no part of a name."""
    parts = [part for part in _BETWEEN.split(line) if part]
    for part, following in zip(parts, [*parts, ""][1:], strict=True):
        if not (following[:1].isdigit() and search_name(part) == "lop"):
            yield part


def _take(part: str, taken: _Line, *, classes: bool) -> None:
    if not any(sign.isalnum() for sign in part):
        return
    if not any(sign.isdigit() for sign in part):
        taken.words.append(part)
    elif found := _DATE.fullmatch(part):
        day, month, year, *iso = found.groups()
        taken.birth_dates.append(date(*map(int, iso if iso[0] else (year, month, day))))
    elif _YEAR.fullmatch(part):
        taken.birth_years.append(int(part))
    elif classes and _CLASS.fullmatch(part.lower()):
        taken.classes.append(search_name(part))
    elif classes and _GRADE.fullmatch(part):
        taken.grades.append(f"{int(part):02}")
    elif _ENDING.fullmatch(part):
        taken.endings.append(part)
    else:
        taken.ids.append(part)
