"""What reporting tells of targets: each beside what its unit has reached, and only when either changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import sqlalchemy as sa
from iocedu.records.v1 import records_pb2
from iocedu.reporting.v1 import bases_pb2

from chassis.bus import Bus
from chassis.database import Database
from chassis.scopes import Scopes
from chassis.testing import FixedClock
from services.reporting.clients import ChangeFeed
from services.reporting.domain.figures import TargetRow
from services.reporting.store import outside, told_targets
from services.reporting.store.catalogue import load_catalogue
from services.reporting.store.mirror import Mirror
from services.reporting.store.outside import PopulationRow
from services.reporting.usecases import rebuilding
from services.reporting.usecases.places import Divider
from services.reporting.usecases.querying import Answer, Question, Questions
from services.reporting.usecases.telling_targets import TellingTargets
from tests.integration.reporting import scenes
from tests.integration.reporting.scenes import DISTRICT, NEW_COMMUNE, NOW, OLD_EAST, PRIMARY, PROVINCE, YEAR, pupils
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


class Empty:
    """A feed that holds nothing."""

    async def pages(self, _types: object) -> AsyncIterator[records_pb2.ListChangesResponse]:
        """Its only page."""
        yield records_pb2.ListChangesResponse()


@dataclass
class Counting(Questions):
    """Questions that count how often they are asked."""

    asked: list[Question] = field(default_factory=list)

    async def ask(self, question: Question, **when: Any) -> Answer:
        """The figures, and one question more."""
        self.asked.append(question)
        return await super().ask(question, **when)


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
    """What a look tells: by unit, year and indicator the target and what was reached."""
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


async def test_what_is_told_of_a_target_later_has_a_higher_version_though_the_clock_was_set_back(
    feed: Feed, telling: TellingTargets
):
    """So that whoever follows never takes it for the older."""
    await feed.take(*pupils(10))
    await set_target(feed.database, PROVINCE, "pupils", 12)
    [first] = await standings(telling)
    ahead = first.version + 3_600_000_000
    async with feed.database.transaction() as held:
        await held.execute(sa.text("UPDATE target SET told_version = :ahead"), {"ahead": ahead})
    await set_target(feed.database, PROVINCE, "pupils", 14)
    [second] = await standings(telling)
    assert (second.target, second.version) == (14, ahead + 1)


async def test_a_rebuild_has_every_target_told_anew(feed: Feed, telling: TellingTargets):
    """After a restore whoever follows may hold what this database does not know it told; the version still rises."""
    await feed.take(*pupils(10))
    await set_target(feed.database, PROVINCE, "pupils", 12)
    [first] = await standings(telling)
    await rebuilding.rebuild(feed.database, cast("ChangeFeed", Empty()))
    [again] = await standings(telling)
    assert (again.target, again.value) == (first.target, first.value)
    assert again.version > first.version


async def test_a_look_counts_nothing_while_nothing_moved(feed: Feed, telling: TellingTargets):
    """A target set, residents imported or a change of the figures make it count again."""
    counting = Counting(telling.questions.catalogue, telling.questions.mirror, Divider(), clock=telling.clock)
    telling.questions = counting
    await feed.take(*pupils(10))
    await set_target(feed.database, PROVINCE, "pupils", 12)
    for _ in range(2):
        await telling.look()
    quiet = len(counting.asked)
    await telling.look()
    assert len(counting.asked) == quiet
    await set_target(feed.database, PROVINCE, "pupils", 12)
    await telling.look()
    assert len(counting.asked) == quiet + 1
    async with feed.database.transaction() as held:
        await outside.store_population(held, [PopulationRow(PROVINCE, YEAR, 6, 40, "NGTK")], subject="director")
    await telling.look()
    assert len(counting.asked) == quiet + 2
    await feed.take(*pupils(2))
    await telling.look()
    assert len(counting.asked) == quiet + 3


async def test_a_look_does_not_wait_for_that_of_another_replica(feed: Feed, telling: TellingTargets):
    """What the other has not told is told by the look after."""
    await feed.take(*pupils(10))
    await set_target(feed.database, PROVINCE, "pupils", 12)
    async with feed.database.transaction() as other:
        assert await told_targets.hold(other)
        assert await told(telling) == {}
    assert await told(telling) == {(PROVINCE, YEAR, "pupils"): (12, 10)}


async def test_a_target_of_the_only_unit_of_its_kind_that_has_ended_stops_no_other(feed: Feed, telling: TellingTargets):
    """No unit of that kind lives, so that nothing could be asked by it."""
    await feed.take(*pupils(10))
    await set_target(feed.database, DISTRICT, "pupils", 12)
    await set_target(feed.database, PROVINCE, "pupils", 12)
    assert await told(telling) == {
        (DISTRICT, YEAR, "pupils"): (12, None),
        (PROVINCE, YEAR, "pupils"): (12, 10),
    }


async def test_a_target_is_told_as_over_when_its_school_year_is(feed: Feed, telling: TellingTargets, clock: FixedClock):
    """So that no alert on it stays for ever."""
    await feed.take(*pupils(10))
    await set_target(feed.database, PROVINCE, "pupils", 12)
    assert await told(telling) == {(PROVINCE, YEAR, "pupils"): (12, 10)}
    clock.advance(NOW.replace(year=NOW.year + 1) - NOW)
    assert await told(telling) == {(PROVINCE, YEAR, "pupils"): (12, None)}
