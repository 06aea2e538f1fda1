"""What reporting tells of targets: each beside what its unit has reached, and only when either changed."""

import pytest
import sqlalchemy as sa
from iocedu.reporting.v1 import bases_pb2

from chassis.bus import Bus
from chassis.database import Database
from chassis.scopes import Scopes
from chassis.testing import FixedClock
from services.reporting.domain.figures import TargetRow
from services.reporting.store import outside
from services.reporting.store.catalogue import load_catalogue
from services.reporting.store.mirror import Mirror
from services.reporting.usecases.places import Divider
from services.reporting.usecases.querying import Questions
from services.reporting.usecases.telling_targets import TellingTargets
from tests.integration.reporting import scenes
from tests.integration.reporting.scenes import NEW_COMMUNE, NOW, OLD_EAST, PRIMARY, PROVINCE, YEAR, pupils
from tests.integration.reporting.test_analysis import Feed, feed

__all__ = ["feed"]


@pytest.fixture
async def clock() -> FixedClock:
    """Time that moves when told."""
    return FixedClock(NOW)


@pytest.fixture
async def telling(feed: Feed, bus: Bus, scopes_tree, clock: FixedClock) -> TellingTargets:
    """What looks at targets, in the small province."""
    await scopes_tree(scenes.units(), scenes.grants())
    scopes = Scopes(bus)
    await scopes.refresh()
    questions = Questions(load_catalogue(), Mirror(feed.database), Divider(), clock=clock)
    return TellingTargets(feed.database, questions, scopes, clock)


async def set_target(database: Database, unit: int, indicator: str, value: float, *, year: int = YEAR) -> None:
    """A target, as the director sets it."""
    async with database.transaction() as held:
        await outside.store_targets(held, [TargetRow(unit, year, indicator, value, "NQ 12")], subject="director")


async def standings(telling: TellingTargets) -> list[bases_pb2.TargetStanding]:
    """What a look tells."""
    await telling.look()
    async with telling.database.transaction() as held:
        payloads = await held.scalars(sa.text("DELETE FROM outbox WHERE event = 'targets-changed' RETURNING payload"))
        return [one for payload in payloads for one in bases_pb2.TargetsChanged.FromString(payload).standings]


async def told(telling: TellingTargets) -> dict[tuple[int, int, str], tuple[float, float | None]]:
    """The same: by unit, year and indicator the target and what was reached."""
    return {
        (one.unit_id, one.school_year, one.indicator): (one.target, one.value if one.HasField("value") else None)
        for one in await standings(telling)
    }


async def test_targets_are_told_beside_what_was_reached_whenever_either_changes(feed: Feed, telling: TellingTargets):
    """Of the province, a commune and a school; what stays as it was is not told again, by no replica."""
    await feed.take(*pupils(10))
    for unit, value in ((PROVINCE, 12), (NEW_COMMUNE, 11), (PRIMARY, 10)):
        await set_target(feed.database, unit, "pupils", value)
    assert await told(telling) == {
        (PROVINCE, YEAR, "pupils"): (12, 10),
        (NEW_COMMUNE, YEAR, "pupils"): (11, 10),
        (PRIMARY, YEAR, "pupils"): (10, 10),
    }
    assert await told(telling) == {}
    await set_target(feed.database, PROVINCE, "pupils", 14)
    assert await told(telling) == {(PROVINCE, YEAR, "pupils"): (14, 10)}
    await feed.take(*pupils(2))
    assert set((await told(telling)).values()) == {(14, 12), (11, 12), (10, 12)}


async def test_what_is_told_says_what_its_values_count(feed: Feed, telling: TellingTargets):
    """By the indicator."""
    for indicator, value in (("pupils", 12), ("attendance_rate", 95)):
        await set_target(feed.database, PROVINCE, indicator, value)
    counted = {one.indicator: one.unit_of_count for one in await standings(telling)}
    assert counted == {"pupils": "pupil", "attendance_rate": "percent"}


async def test_what_is_not_known_not_shown_or_not_of_this_year_has_no_value(feed: Feed, telling: TellingTargets):
    """No registers, a sensitive indicator, a school year to come, a unit that has ended."""
    await feed.take(*pupils(10))
    await set_target(feed.database, PROVINCE, "attendance_rate", 95)
    await set_target(feed.database, PROVINCE, "pupils_with_disability", 3)
    await set_target(feed.database, PROVINCE, "pupils", 12, year=YEAR + 1)
    await set_target(feed.database, OLD_EAST, "pupils", 12)
    assert await told(telling) == {
        (PROVINCE, YEAR, "attendance_rate"): (95, None),
        (PROVINCE, YEAR, "pupils_with_disability"): (3, None),
        (PROVINCE, YEAR + 1, "pupils"): (12, None),
        (OLD_EAST, YEAR, "pupils"): (12, None),
    }


async def test_a_target_is_told_as_over_when_its_school_year_is(feed: Feed, telling: TellingTargets, clock: FixedClock):
    """So that no alert on it stays for ever."""
    await feed.take(*pupils(10))
    await set_target(feed.database, PROVINCE, "pupils", 12)
    assert await told(telling) == {(PROVINCE, YEAR, "pupils"): (12, 10)}
    clock.advance(NOW.replace(year=NOW.year + 1) - NOW)
    assert await told(telling) == {(PROVINCE, YEAR, "pupils"): (12, None)}
