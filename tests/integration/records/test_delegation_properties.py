"""Whatever is given, delegated, revoked, moved, merged: nobody holds by delegation what the delegator does not hold.

Each sequence runs by the use cases on a real database, in a transaction that is rolled back.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import unit_operations_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from chassis.scope_tree import ScopeGrant, ScopeTree
from chassis.scopes import chunked
from services.records.convert.scopes import scope_grants, scope_units
from services.records.domain.delegating import Delegation
from services.records.domain.grants import Grant, GrantDraft
from services.records.domain.spans import Span
from services.records.store import grants, units
from services.records.usecases.delegating import delegate_grant, own_grant
from services.records.usecases.grants import create_grant, revoke_grant
from services.records.usecases.unit_operations import Operator, create_unit_operation
from tests.integration.records.scenes import ADMINISTRATOR, COMMUNE, PROVINCE, SCHOOL_A, SCHOOL_B, Running
from tests.integration.records.test_delegation import OTHER
from tests.integration.records.test_unit_operations import asked

FIRST = date(2026, 11, 2)
PEOPLE = ("a", "b", "c")
ROLES = ("director", "officer", "clerk")
PLACES = (PROVINCE, COMMUNE, "gso:7", SCHOOL_A, SCHOOL_B)
SEQUENCES = 120

days = st.integers(0, 40)
delegations = st.fixed_dictionaries(
    {"do": st.just("delegate"), "grant": st.integers(0, 9), "to": st.sampled_from(PEOPLE)}
    | {"unit": st.sampled_from((None, None, *PLACES)), "start": st.integers(0, 10), "length": st.integers(1, 50)}
)
mergers = st.fixed_dictionaries({"do": st.just("merge"), "units": st.permutations(PLACES[1:]), "day": days})
moves = st.fixed_dictionaries(
    {"do": st.just("move"), "unit": st.sampled_from((SCHOOL_A, SCHOOL_B)), "day": days}
    | {"to": st.sampled_from((COMMUNE, "gso:7"))}
)
steps = st.one_of(
    st.fixed_dictionaries(
        {"do": st.just("give"), "to": st.sampled_from(PEOPLE), "role": st.sampled_from(ROLES)}
        | {"unit": st.sampled_from(PLACES), "start": days, "length": st.integers(1, 60)}
    ),
    delegations,
    delegations,
    st.fixed_dictionaries({"do": st.just("revoke"), "grant": st.integers(0, 9)}),
    moves,
    mergers,
    st.fixed_dictionaries({"do": st.just("dissolve"), "unit": st.sampled_from((SCHOOL_A, SCHOOL_B)), "day": days}),
    st.fixed_dictionaries({"do": st.just("wait"), "days": st.integers(1, 10)}),
)
GIVEN: list[dict[str, Any]] = [
    {"do": "give", "to": to, "role": role, "unit": unit, "start": 0, "length": 60}
    for to, role, unit in (("a", "director", COMMUNE), ("b", "clerk", SCHOOL_A), ("b", "clerk", SCHOOL_B))
]
histories = st.builds(
    lambda first, then, rest: [*GIVEN, *first, then, *rest],
    st.lists(delegations, min_size=1, max_size=4),
    st.one_of(moves, mergers),
    st.lists(steps, min_size=2, max_size=16),
)


def drawn() -> list[list[dict[str, Any]]]:
    """Sequences of steps, each a little history."""
    cases: list[list[dict[str, Any]]] = []

    @settings(max_examples=SEQUENCES, database=None)
    @given(histories)
    def collect(case: list[dict[str, Any]]) -> None:
        cases.append(case)

    collect()
    return cases


@dataclass
class History:
    """One sequence under way."""

    connection: AsyncConnection
    today: date = FIRST
    done: int = 0

    @property
    def now(self) -> datetime:
        """Noon of today."""
        return datetime.combine(self.today, time(5), tzinfo=UTC)

    async def tree(self) -> ScopeTree:
        """What every service would judge by now."""
        forest = await units.load_units(self.connection)
        given = await grants.load_grants(self.connection, self.today)
        return ScopeTree.from_chunks(chunked(scope_units(forest, self.today), scope_grants(given, [ADMINISTRATOR])))

    async def step(self, step: dict[str, Any]) -> bool:
        """Do a step, or leave everything as it was where it is refused; says whether it was done."""
        try:
            async with self.connection.begin_nested():
                await getattr(self, step["do"])(**{name: value for name, value in step.items() if name != "do"})
        except Fault:
            return False
        return True

    async def wait(self, *, days: int) -> None:
        """Let days pass."""
        self.today += timedelta(days=days)

    async def give(self, *, to: str, role: str, unit: str, start: int, length: int) -> None:
        """Give a role as the administrator does."""
        draft = GrantDraft(to, role, await self.unit(unit), "administrative", self.span(start, length))
        await create_grant(
            self.connection, draft, giver=ADMINISTRATOR, tree=await self.tree(), day=self.today, now=self.now
        )

    async def delegate(self, *, grant: int, to: str, unit: str | None, start: int, length: int) -> None:
        """Delegate one of the grants there are as its holder does."""
        chosen = await self.chosen(grant)
        if chosen is None:
            return
        held = await own_grant(self.connection, chosen.grant_id, holder=chosen.subject, day=self.today)
        unit_id = await self.unit(unit) if unit else held.unit_id
        asked = Delegation(to, unit_id, self.span(start, length))
        await delegate_grant(self.connection, held, asked, today=self.today, now=self.now)

    async def revoke(self, *, grant: int) -> None:
        """Revoke one of the grants there are as the administrator does."""
        chosen = await self.chosen(grant)
        if chosen is not None:
            tree = await self.tree()
            await revoke_grant(
                self.connection, chosen.grant_id, revoker=ADMINISTRATOR, tree=tree, day=self.today, now=self.now
            )

    async def move(self, *, unit: str, to: str, day: int) -> None:
        """Move a school to another commune."""
        await self.operate(day, move={"unit": unit, "parent": to})

    async def merge(self, *, units: list[str], day: int) -> None:
        """Merge a unit into another."""
        await self.operate(day, merge={"units": units[:1], "successor_unit": units[1]})

    async def dissolve(self, *, unit: str, day: int) -> None:
        """End a school."""
        await self.operate(day, dissolve={"unit": unit})

    async def operate(self, day: int, **change: Any) -> None:
        """Change units as an administrator of every unit does."""
        self.done += 1
        request: unit_operations_pb2.CreateUnitOperationRequest = asked(
            str(self.done), (self.today + timedelta(days=day - 5)).isoformat(), **change
        )
        operator = Operator(ADMINISTRATOR, [ScopeGrant(0, ADMINISTRATOR, "administrator", 0)], "en")
        await create_unit_operation(self.connection, request, operator=operator, today=self.today, now=self.now)

    async def chosen(self, number: int) -> Grant | None:
        """One of the grants that stand."""
        standing = await grants.load_grants(self.connection, self.today)
        return standing[number % len(standing)] if standing else None

    async def unit(self, ref: str) -> int:
        """A unit of today; one that has ended is no step."""
        unit_id = await units.resolve_unit(self.connection, ref, self.today)
        if unit_id is None:
            raise Fault(Kind.NOT_FOUND, "UNKNOWN_UNIT", vi=ref, en=ref)
        return unit_id

    def span(self, start: int, length: int) -> Span:
        """Days from today on."""
        first = self.today + timedelta(days=start)
        return Span(first, first + timedelta(days=length))


async def broken(history: History) -> list[str]:
    """What is held by delegation and not by the delegator, on any day from today on."""
    tree, found = await history.tree(), []
    standing = {one.grant_id: one for one in await grants.load_grants(history.connection, history.today)}
    for one in standing.values():
        if not one.delegated_from:
            continue
        parent = standing.get(one.delegated_from)
        if parent is None or parent.delegated_from or not parent.span.covers(one.span):
            found.append(f"{one} outlives {parent}")
            continue
        first = max(one.span.start, history.today)
        for day in (first + timedelta(days=number) for number in range((one.span.end - first).days)):
            reached = tree.subtree(one.unit_id, day, one.edge_type)
            beyond = [unit_id for unit_id in reached if not tree.may(one.delegated_by, [one.role], unit_id, day)]
            found += [f"{one} reaches {unit_id} on {day}, {parent} does not" for unit_id in beyond]
    return found


class Undone(Exception):  # noqa: N818 (raised to roll a sequence back)
    """A sequence is over."""


@pytest.mark.timeout(600)
async def test_nobody_holds_by_delegation_what_the_delegator_does_not_hold_that_day(records: Running):
    """After each step, for each day to come; and nothing stands whose grant does not."""
    await (await records.operations()).CreateUnitOperation(asked("0", "2026-01-01", create={"unit": OTHER}))
    done: Counter[str] = Counter()
    for case in drawn():
        with contextlib.suppress(Undone):
            async with records.database.transaction() as connection:
                history = History(connection)
                for number, step in enumerate(case):
                    if await history.step(step):
                        done[step["do"]] += 1
                        assert await broken(history) == [], case[: number + 1]
                standing = await grants.load_grants(connection, history.today)
                done["continued"] += sum(1 for one in standing if one.delegated_from and one.moved_from)
                raise Undone
    assert set(done) == {"give", "delegate", "revoke", "move", "merge", "dissolve", "wait", "continued"}
    assert done["continued"], done
