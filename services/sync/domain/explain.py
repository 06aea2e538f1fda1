"""Broken rules in the words of a school's clerk: which field, what is wrong with its value, what to write instead."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.sync.domain.problems import Called, Problem
from services.sync.domain.words import TOO_LONG, Text, as_code

_SAID: Final = MappingProxyType(
    {
        "required": Text("còn thiếu", "is missing"),
        "string.min_len": Text("còn trống", "is empty"),
        "string.max_len": TOO_LONG,
        "string.pattern": Text("không đúng dạng", "has not the right form"),
        "string.in": Text("không có trong danh mục", "is not in the catalogue"),
        "repeated.max_items": Text("có quá nhiều phần tử", "has too many elements"),
        "repeated.min_items": Text("có quá ít phần tử", "has too few elements"),
        "map.max_pairs": Text("có quá nhiều cặp", "has too many pairs"),
    }
)
_OUT_OF_RANGE: Final = Text("nằm ngoài khoảng cho phép", "is out of range")
_WRONG: Final = Text("không hợp lệ", "is not valid")
_MISSING: Final = Text("còn thiếu", "is missing")
_ZERO: Final = Text("còn thiếu hoặc bằng 0", "is missing or 0")
_RANGE: Final = re.compile(r"(int32|int64|double)\.(gte?|lte?)")  # Two bounds at once end in `_lte` and the like.
_FIRST: Final = ("school", "key", "version")  # Without these the row cannot be placed at all.


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    path: str  # For example `result.subject_marks[2].mark`.
    rule: str  # Id of the rule, for example `string.pattern`.
    value: str = ""  # What was written, as we read it.
    personal: bool = False  # Whether that must not be repeated.


def explain(
    violations: Sequence[Violation],
    *,
    called: Callable[[str], Called],
    also: Iterable[Problem] = (),
    place: Callable[[str], Text] | None = None,
) -> Problem:
    """Make the problem of a row from all rules it breaks: the most important one, and the others beside it.

    `also` is what else is wrong with it, `place` as for `Problem.beside`.
    """
    first, *others = explained(sorted(violations, key=lambda one: one.path not in _FIRST), called=called)
    return first.beside([*others, *also], place=place)


def explained(violations: Iterable[Violation], *, called: Callable[[str], Called]) -> list[Problem]:
    """Each broken rule in words."""
    return [_problem(one, called(one.path)) for one in violations]


def _problem(broken: Violation, name: Called) -> Problem:
    value = "" if broken.personal else name.written or broken.value
    what = said(broken.rule)
    unset = broken.value == "0" and broken.rule.startswith("int")  # A number that is not said is 0.
    if not name.written and (unset or not broken.value):
        value, what = "", _ZERO if unset and name.field == broken.path else _MISSING
    shown = f" “{as_code(value)}”" if value else ""
    vi = f"{name.label.vi}{shown} {what.vi}. Hãy ghi {name.wanted.vi}."
    en = f"{name.label.en}{shown} {what.en}. Write {name.wanted.en}."
    return Problem(name.reason, name.field, Text(vi, en))


def said(rule: str) -> Text:
    """What is wrong by a rule."""
    return _SAID.get(rule) or (_OUT_OF_RANGE if _RANGE.match(rule) else _WRONG)
