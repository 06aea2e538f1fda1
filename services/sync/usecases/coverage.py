"""Looks at schools that are due and says how far they are connected; who listens is told where that is another than
before.

Schools are due when something came in, when time may change their state, and when calendars change. Each is claimed by
one replica at a time; what is told of a school is told in the transaction that keeps it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from chassis.outbox import Outgoing
from chassis.scope_tree import EVERY_UNIT, ScopeTree
from chassis.scopes import Scopes
from services.sync.convert import coverage as convert
from services.sync.domain.coverage import Assessment, Facts, Known, assess
from services.sync.domain.coverage_rules import CoverageRules, DayCoverage, levels_of
from services.sync.domain.school_days import VIETNAM, SchoolDays, begin_of
from services.sync.store import coverage

AT_ONCE: Final = 200  # Schools in one transaction, and in one event.


@dataclass(frozen=True)
class Coverage:
    """What judging schools needs. Opened by wiring."""

    database: Database
    scopes: Scopes
    clock: Clock
    rules: CoverageRules
    weekdays: frozenset[int]  # On which there are lessons.

    def today(self) -> DayCoverage:
        """The rules of today."""
        return self.on(self.clock.today())

    def on(self, day: date) -> DayCoverage:
        """The rules of a day."""
        years = self.scopes.tree.years(EVERY_UNIT, day)
        return self.rules.on(day, years.first_day(years.of(day)))


async def look(judge: Coverage) -> int:
    """Look at schools that are due, tell of those that changed; returns how many were looked at."""
    async with judge.database.transaction() as writes:
        now = judge.clock.now()
        claimed = await coverage.claim(writes, now=now, most=AT_ONCE)
        if not claimed:
            return 0
        rules = judge.on(now.astimezone(VIETNAM).date())
        days = school_days(judge, rules.day)
        facts = await facts_of(judge, writes, claimed, rules)
        assessed = {one.school_id: (assess(one, rules, days(one.school_id), now), one) for one in facts}
        before = {one.school_id: one for one in claimed}
        changed = [school_id for school_id, (one, _) in assessed.items() if _differs(before[school_id], one)]
        positions = await coverage.keep(writes, assessed, changed=changed, now=now)
        await _tell(writes, judge.scopes.tree, judge.rules, before, positions, rules.day)
    return len(claimed)


def _differs(before: Known, now: Assessment) -> bool:
    """Whether it is news: another state, since another time, for other reasons, or that it has to connect or not."""
    if before.told_must_connect is not before.must_connect:
        return True
    reasons = [(one.code, one.facts.get("collection"), one.state) for one in before.reasons]
    told = [(one.code, one.facts.get("collection"), one.state) for one in now.reasons]
    return (before.state, before.since_time, reasons) != (now.state, now.since, told)


async def _tell(
    writes: AsyncConnection,
    tree: ScopeTree,
    rules: CoverageRules,
    before: Mapping[int, Known],
    changed: Collection[int],
    day: date,
) -> None:
    """Tell of changed schools; of those that were looked at for the first time as of a baseline, which is no news."""
    if not changed:
        return
    known = await coverage.changed(writes, changed, after=0, most=len(changed), whole=True)
    leaving = []
    for baseline in (True, False):
        part = [one for one in known if (before[one.school_id].state == 0) is baseline]
        if part:
            payload = convert.coverage_changed(part, convert.Places(tree, rules, day), baseline=baseline)
            leaving.append(Outgoing("coverage-changed", payload, len(part)))
    await outbox.append(writes, leaving)


async def facts_of(judge: Coverage, reads: AsyncConnection, known: Sequence[Known], rules: DayCoverage) -> list[Facts]:
    """All that is written down of schools."""
    ids = [one.school_id for one in known]
    span = timedelta(days=rules.thresholds.share_days)
    counts = await coverage.day_counts(reads, ids, after=rules.day - 2 * span)
    arrivals = await coverage.arrivals(reads, ids, school_year=rules.school_year)
    opened = await coverage.open_rows(reads, ids, since=begin_of(rules.day - span + timedelta(days=1)))
    tree, made = judge.scopes.tree, []
    for one in known:
        unit = tree.unit(one.school_id)
        levels = levels_of(unit.labels) if unit else ()
        made.append(
            Facts(
                school_id=one.school_id,
                kind=judge.rules.kind_of(unit.kind if unit else "", levels),
                levels=levels,
                must_connect=one.must_connect,
                waited_since=one.create_time,
                known_since=one.known_since,
                first_accept_time=one.first_accept_time,
                last_accept_time=one.last_accept_time,
                first_refused_time=one.first_refused_time,
                last_refused_time=one.last_refused_time,
                source=one.source,
                days=counts.get(one.school_id, {}),
                arrivals=arrivals.get(one.school_id, {}),
                open_rows=opened.get(one.school_id, 0),
            )
        )
    return made


def school_days(judge: Coverage, day: date) -> Callable[[int], SchoolDays]:
    """The school days of a school, as it stands on a day."""
    tree = judge.scopes.tree
    return lambda school_id: tree.open_days(school_id, day, weekdays=judge.weekdays)


async def look_anew(judge: Coverage) -> None:
    """Let every school be looked at, as rules or calendars are others than before."""
    async with judge.database.transaction() as writes:
        await coverage.expect_all(writes, now=judge.clock.now())
