"""Finds the facts that a figure counts, school by school in order of key."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.catalogue import PLACED_PUPILS, SEATED_PUPILS
from services.reporting.domain.recorded import RESULTS, Recorded
from services.reporting.domain.rules import rules_of

Named = tuple[int, str, str]  # School, key of the fact, key of the record.


async def facts_page(
    connection: AsyncConnection,
    wanted: Recorded,
    *,
    school_year: int,
    schools: Sequence[int],
    after: tuple[int, str],
    limit: int,
) -> list[Named]:
    """The facts of schools after a school and key."""
    parameters: dict[str, object] = {
        "kind": wanted.kind, "school_year": school_year, "schools": list(schools), "after_school": after[0],
        "after_key": after[1], "limit": limit,
    }  # fmt: skip
    counted = [_holds(measure, wanted, parameters, school_year) for measure in wanted.any_of]
    conditions = [f"({' OR '.join(counted)})"]
    conditions += [f"NOT {_holds(measure, wanted, parameters, school_year)}" for measure in wanted.none_of]
    conditions += _places(wanted, parameters)
    given = await connection.execute(sa.text(f"{_FACTS} AND {' AND '.join(conditions)} {_ORDER}"), parameters)
    return [(row.school_id, row.key, row.pupil_key if wanted.kind == RESULTS else row.key) for row in given]


def _holds(measure: str, wanted: Recorded, parameters: dict[str, object], school_year: int) -> str:
    """Whether a fact counts towards a measure."""
    if measure == wanted.kind:
        return "fact.counted"
    if measure == SEATED_PUPILS:
        return "((fact.counted OR coalesce(fact.beside, false)) AND placed.active)"
    if measure == "dropouts":
        return "fact.dropped"
    if measure in _ABSENT:
        rule = rules_of(school_year).absence
        if rule is None:
            return "false"
        parameters[measure] = {
            "pupils_absent_amber": rule.amber,
            "pupils_absent_red": rule.red,
            "pupils_absent_over": rule.most + 1,
            "pupils_absent_chronic": rule.chronic_percent,
            "pupils_absent_severe": rule.severe_percent,
        }[measure]
        parameters["grades"] = list(rule.grades)
        return f"(fact.counted AND {_ABSENT[measure].format(threshold=f':{measure}')})"
    if measure in _OF_CLASSES:
        return f"(fact.counted AND {_OF_CLASSES[measure]})"
    # A tally; what it is broken down by beside level, grade and sex stands in it.
    name = f"tally_{measure}"
    parameters[name] = measure
    parts = [f"split_part(tally, '|', 1) = :{name}"]
    for place, dimension in enumerate(_IN_TALLY, 2):
        for number, (_, value) in enumerate(one for one in wanted.where if one[0] == dimension):
            parameters[f"{dimension}{number}"] = value
            # The last of them may hold a bar.
            parts.append(
                f"split_part(tally, '|', {place}) = :{dimension}{number}"
                if place <= len(_IN_TALLY)
                else f"substr(tally, length(split_part(tally, '|', 1)) + length(split_part(tally, '|', 2))"
                f" + length(split_part(tally, '|', 3)) + 4) = :{dimension}{number}"
            )
    return f"(fact.counted AND EXISTS (SELECT FROM unnest(fact.tallies) AS tally WHERE {' AND '.join(parts)}))"


def _places(wanted: Recorded, parameters: dict[str, object]) -> list[str]:
    """Level, grade and sex, of the fact or of its class."""
    columns = {name: f"placed.{name}" if wanted.by_class else f"fact.{name}" for name in ("level", "grade")}
    columns["sex"] = "fact.sex"
    found = []
    for number, (dimension, value) in enumerate(wanted.where):
        if dimension in columns:
            parameters[f"value{number}"] = value
            found.append(f"{columns[dimension]} = :value{number}")
    return found + [f"{columns[dimension]} NOT IN ('', '0')" for dimension in wanted.known if dimension in columns]


_IN_TALLY = ("stage", "subject", "outcome")
_COUNTED_DAYS = (
    "fact.grade = ANY(CAST(:grades AS text[])) AND EXISTS (SELECT FROM pupil_absence AS absent"
    " WHERE absent.school_id = fact.school_id AND absent.school_year = fact.school_year"
    " AND absent.pupil_key = fact.key AND absent.counted_day_count >= {threshold})"
)
_SHARE = (
    "placed.active AND EXISTS (SELECT FROM pupil_absence AS absent JOIN class_session AS held"
    " USING (school_id, school_year) WHERE absent.school_id = fact.school_id"
    " AND absent.school_year = fact.school_year AND absent.pupil_key = fact.key AND held.class_key = fact.class_key"
    " AND held.session_count > 0 AND absent.session_count * 100 >= held.session_count * {threshold})"
)
_ABSENT = {
    "pupils_absent_amber": _COUNTED_DAYS,
    "pupils_absent_red": _COUNTED_DAYS,
    "pupils_absent_over": _COUNTED_DAYS,
    "pupils_absent_chronic": _SHARE,
    "pupils_absent_severe": _SHARE,
}
_OF_CLASSES = {
    PLACED_PUPILS: "placed.active",
    "classes_oversize": "placed.oversize",
    "pupils_scheduled": (
        "placed.active AND EXISTS (SELECT FROM class_session AS held WHERE held.school_id = fact.school_id"
        " AND held.school_year = fact.school_year AND held.class_key = fact.class_key AND held.session_count > 0)"
    ),
}
_FACTS = (
    "SELECT fact.school_id, fact.key, fact.pupil_key FROM fact LEFT JOIN class_figure AS placed"
    " ON placed.school_id = fact.school_id AND placed.school_year = fact.school_year"
    " AND placed.class_key = fact.class_key"
    " WHERE fact.school_id = ANY(CAST(:schools AS bigint[])) AND fact.measure = :kind"
    " AND fact.school_year = :school_year AND (fact.school_id, fact.key) > (:after_school, :after_key)"
)
_ORDER = "ORDER BY fact.school_id, fact.key LIMIT :limit"
