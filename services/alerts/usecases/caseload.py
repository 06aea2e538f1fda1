"""Ranks the pupils of classes for whom signs of early warning are seen. Gives places and reasons, no points."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Alert, AlertFilter, Scalar, State
from services.alerts.domain.early_warning import urgency
from services.alerts.store import counting

MOST_ALERTS = 5000  # Of one school, the newest.
STANDING = frozenset({State.OPEN, State.ACKNOWLEDGED, State.SUPPRESSED})


@dataclass(frozen=True, slots=True)
class Entry:
    """A pupil's place in the caseload of a class."""

    class_key: str
    rank: int
    pupil_key: str
    reasons_vi: tuple[str, ...]
    reasons_en: tuple[str, ...]
    alerts: tuple[Alert, ...]


async def caseload(connection: AsyncConnection, school_id: int, class_key: str, school_year: int) -> list[Entry]:
    """The pupils of a school's class (empty: of all) with any sign, by class, most urgent first."""
    found = await store.signs_in_year(connection, school_id, school_year)
    weights = {
        key: context for _, key, _, _, _, _, context in await counting.outcomes(connection, {school_id}, {school_year})
    }
    classes: dict[str, list[Mapping[str, Scalar]]] = {}
    for values in found:
        classes.setdefault(str(values["class_key"]), []).append(values)
    alerts = await _alerts(connection, school_id)
    return [
        Entry(
            name,
            rank,
            str(values["pupil_key"]),
            _parts(values["reasons_vi"]),
            _parts(values["reasons_en"]),
            tuple(alerts.get(f"{school_year}/{values['pupil_key']}", ())),
        )
        for name in sorted(classes)
        if class_key in ("", name)
        for rank, values in enumerate(_ranked(classes[name], weights), start=1)
    ]


def _ranked(pupils: list[Mapping[str, Scalar]], weights: Mapping[str, int]) -> list[Mapping[str, Scalar]]:
    """Most urgent first; among equals by key, so that the order stands still."""
    by_key = sorted(pupils, key=lambda values: str(values["pupil_key"]))
    return sorted(by_key, key=lambda values: urgency(values, weights.get(str(values["pupil_key"]), 0)), reverse=True)


def _parts(reasons: Scalar) -> tuple[str, ...]:
    return tuple(part for part in str(reasons).split("; ") if part)


async def _alerts(connection: AsyncConnection, school_id: int) -> dict[str, list[Alert]]:
    wanted = AlertFilter(unit_ids=frozenset({school_id}), states=STANDING, families=frozenset({"pupil"}))
    found: dict[str, list[Alert]] = {}
    for alert in await store.list_alerts(connection, wanted, below=None, limit=MOST_ALERTS):
        found.setdefault(alert.subject, []).append(alert)
    return found
