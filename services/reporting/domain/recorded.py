"""Which records a figure counts one by one: their kind, and what each has to be.

Refuses, by giving nothing, what counts schools, sessions, marks or residents, and what counts a record as more or less
than one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.reporting.domain.catalogue import PLACED_PUPILS, SEATED_PUPILS, Term
from services.reporting.domain.cube import Values

PUPILS, CLASSES, STAFF, RESULTS = "pupils", "classes", "staff", "results"
# Counted under the level and grade of the class a pupil is in, not under the pupil's own.
BY_CLASS = frozenset(
    {PLACED_PUPILS, SEATED_PUPILS, "pupils_scheduled", "pupils_absent_chronic", "pupils_absent_severe"}
)
# Facts by measure: what lies with another is not here, nor what counts by amounts.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            PUPILS,
            "dropouts",
            "pupils_over_age",
            "pupils_of_unknown_age",
            "pupils_not_of_official_age",
            "personal_ids_not_plausible",
            "pupils_absent_amber",
            "pupils_absent_red",
            "pupils_absent_over",
            *(f"preschool_aged_{age}" for age in range(6)),
            *BY_CLASS,
        ),
        PUPILS,
    ),
    **dict.fromkeys((CLASSES, "classes_oversize", "classes_multi_grade", "classes_two_session"), CLASSES),
    **dict.fromkeys((STAFF, "teachers", "teachers_of_subjects", "teachers_qualified", "staff_contracts"), STAFF),
    **dict.fromkeys(
        (
            "pupils_with_results",
            "learning_tt22",
            "learning_tt27",
            "conduct_tt22",
            "promotions_decided",
            "pupils_promoted",
            "pupils_not_promoted",
            "pupils_judged",
            "pupils_failing",
        ),
        RESULTS,
    ),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """The facts behind a term's cell; a result stands for its pupil."""

    kind: str
    any_of: tuple[str, ...]
    none_of: tuple[str, ...]
    where: tuple[tuple[str, str], ...]
    known: tuple[str, ...]

    @property
    def by_class(self) -> bool:
        """Whether level and grade are those of the class."""
        return any(measure in BY_CLASS for measure in self.any_of)

    @property
    def collection(self) -> str:
        """The collection of records in which they are."""
        return PUPILS if self.kind == RESULTS else self.kind


def recorded(term: Term, dimensions: Sequence[str], values: Values) -> Recorded | None:
    """What the records of a cell are; None where it does not count records one by one."""
    chosen = term.asked_by(dimensions)
    kinds = {KINDS.get(measure, "") for measure in chosen.measures}
    if len(kinds) != 1 or "" in kinds or chosen.beyond:
        return None
    return Recorded(
        kind=kinds.pop(),
        any_of=(chosen.measure, *chosen.plus),
        none_of=chosen.minus,
        where=(*chosen.where, *zip(dimensions, values, strict=True)),
        known=chosen.known,
    )
