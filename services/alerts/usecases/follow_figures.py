"""Follows figures of reporting, with what they are compared with: the year before, the schools beside it."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import SCHOOL_YEAR, Change, Fact
from services.alerts.domain.shapes import SCHOOL_FIGURES, Scalar
from services.alerts.store import counting, projection
from services.alerts.usecases.evaluate import take_facts
from services.alerts.usecases.moment import Moment

LEAST_PEERS = 5


async def follow_figures(
    connection: AsyncConnection,
    classes: Sequence[Fact],
    schools: Sequence[tuple[int, int, int, int, int, int]],
    moment: Moment,
    *,
    baseline: bool,
) -> list[Change]:
    """Keep schools' figures and evaluate them and the classes' sizes."""
    facts = list(classes)
    newest = {row[:2]: row for row in sorted(schools, key=lambda row: row[2])}
    called = {_class_of(fact): str(fact.values.get("name", "")) for fact in classes}
    before = await counting.class_names(connection, called) if called else {}
    # Classes are often told after what is known of their pupils, which then called them by their keys.
    renamed = {key for key, name in called.items() if name and before.get(key) != name}
    touched = {school_id for school_id, _ in newest} | {school_id for school_id, _, _ in renamed}
    if touched:
        await projection.hold_schools(connection, touched)
    if schools:
        await projection.keep_figures(connection, [newest[key] for key in sorted(newest)])
        years = set(newest) | {(school_id, year + 1) for school_id, year in newest}
        facts += await figure_facts(connection, years, moment, baseline=baseline)
    changes = await take_facts(connection, facts, moment)
    if renamed:
        names = await counting.class_names(connection, renamed)
        await store.name_classes(connection, names, now=moment.now)
    return changes


def _class_of(fact: Fact) -> tuple[int, int, str]:
    """School, school year and key of a class whose size a fact tells."""
    year, key = fact.subject.split("/", maxsplit=1)
    return fact.unit_id, int(year), key


async def figure_facts(
    connection: AsyncConnection, wanted: set[tuple[int, int]], moment: Moment, *, baseline: bool
) -> list[Fact]:
    """Facts of these schools in these years, as far as there are figures."""
    schools = {school_id for school_id, _ in wanted}
    known = await counting.figures(connection, schools)
    peers = await counting.peer_medians(
        connection, {school_id: moment.peers(school_id) for school_id in schools}, least=LEAST_PEERS
    )
    version = await store.next_versions(connection)
    facts = []
    for school_id, year in sorted(wanted & set(known)):
        pupils, classes, staff = known[school_id, year]
        before = known.get((school_id, year - 1), (0, 0, 0))[0]
        values: dict[str, Scalar] = {
            SCHOOL_YEAR: year,
            "pupils": pupils,
            "classes": classes,
            "staff": staff,
            "pupils_per_class": round(pupils / classes, 2) if classes else 0.0,
            "pupils_per_staff": round(pupils / staff, 2) if staff else 0.0,
            "pupils_last_year": before,
            "change_share": round(pupils / before - 1, 4) if before else 0.0,
            "peer_pupils_per_class": round(peers.get((school_id, year), 0.0), 2),
        }
        facts.append(Fact(SCHOOL_FIGURES, school_id, str(year), version, values, baseline))
    return facts
