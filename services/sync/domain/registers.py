"""Registers and results that contradict themselves: a pupil away twice, more away than expected, a subject twice."""

from collections.abc import Callable, Sequence

from services.sync.domain.problems import Called, Problem
from services.sync.domain.words import Text

_MARKS = "result.subject_marks"
_LIST = "attendance_register.exceptions"
_EXPECTED = "attendance_register.scheduled_count"


def contradictions(pupils: Sequence[str], *, scheduled: int, called: Callable[[str], Called]) -> list[Problem]:
    """What cannot be of the pupils who are away, by their keys in the order of the list."""
    found: list[Problem] = []
    if len(set(pupils)) < len(pupils):
        place = next(place for place, key in enumerate(pupils) if key in pupils[:place])
        first = f"{called(_LIST).field}[{pupils.index(pupils[place])}]"
        found.append(_twice(called(f"{_LIST}[{place}].pupil_key"), first=first))
    if len(pupils) > scheduled:
        found.append(_too_many(called(_EXPECTED), listed=called(_LIST), count=len(pupils), scheduled=scheduled))
    return found


def twice(subjects: Sequence[str], called: Callable[[str], Called]) -> Problem:
    """Name the first subject that stands twice in a pupil's results, of which one would be lost."""
    place = next(place for place, code in enumerate(subjects) if code in subjects[:place])
    name = called(f"{_MARKS}[{place}].subject")
    first = f"{called(_MARKS).field}[{subjects.index(subjects[place])}]"
    return Problem(
        name.reason,
        name.field,
        Text(
            f"{name.label.vi}: môn này đã có ở {first}. Hãy ghi mỗi môn một lần trong một kết quả.",
            f"{name.label.en}: this subject is in {first} already. Write each subject once a result.",
        ),
    )


def _twice(name: Called, *, first: str) -> Problem:
    return Problem(
        name.reason,
        name.field,
        Text(
            f"{name.label.vi}: học sinh này đã có ở {first}. Hãy ghi mỗi học sinh một lần trong một buổi.",
            f"{name.label.en}: this pupil is in {first} already. Write each pupil once a session.",
        ),
    )


def _too_many(name: Called, *, listed: Called, count: int, scheduled: int) -> Problem:
    return Problem(
        name.reason,
        name.field,
        Text(
            f"{name.label.vi} là {scheduled}, ít hơn {count} học sinh trong {listed.label.vi}. "
            "Hãy ghi đủ số học sinh phải có mặt, kể cả học sinh vắng.",
            f"{name.label.en} is {scheduled}, less than the {count} pupils in {listed.label.en}. "
            "Write how many pupils were expected, those away included.",
        ),
    )
