"""Watchers of one question share its evaluation, and neither a fault nor one who leaves takes it from the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import cast

import pytest

from chassis.bell import Bell
from chassis.errors import Fault, Kind
from chassis.scopes import Scopes, ScopeTree
from chassis.testing import FixedClock
from services.reporting.domain.figures import Completeness, Figure
from services.reporting.store.mirror import Head
from services.reporting.usecases import watching
from services.reporting.usecases.querying import Answer, Question, Questions
from services.reporting.usecases.watching import Pulse, Update
from tests.support.waiting import poll_until

MANY = 40
PUPILS, CLASSES = Question("1", ("pupils",)), Question("1", ("classes",))


@dataclass
class _Counted:
    """Questions whose evaluations are counted; stands for its mirror as well."""

    position: int = 1
    asked: list[Question] = field(default_factory=list)
    fault: Fault | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    hanging: bool = False

    @property
    def mirror(self) -> "_Counted":
        return self

    async def head(self) -> Head:
        if self.hanging:
            await asyncio.Event().wait()
        return Head(self.position, None)

    async def ask(self, question: Question, *, tree: ScopeTree, today: date) -> Answer:
        self.asked.append(question)
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        [code] = question.indicators
        figure = Figure(code, 1, (), float(self.position), None, None, Completeness(1, 1))
        return Answer([figure], {1: ""}, today, 2026, self.position, None)


@pytest.fixture
def counted() -> _Counted:
    """Questions that answer at once."""
    questions = _Counted()
    questions.gate.set()
    return questions


@pytest.fixture
async def pulse(counted: _Counted) -> AsyncIterator[Pulse]:
    """A running pulse."""
    clock = FixedClock(datetime(2026, 11, 2, tzinfo=UTC))
    found = Pulse(cast("Questions", counted), Scopes.of(ScopeTree([])), clock)
    stop = asyncio.Event()
    running = asyncio.create_task(found.run(stop))
    yield found
    stop.set()
    await running


async def _follow(pulse: Pulse, question: Question, into: list[Update]) -> None:
    async with aclosing(pulse.watch(question, position="")) as updates:
        async for update in updates:
            into.append(update)  # noqa: PERF401 (whoever looks in between must see each)


async def test_watchers_of_one_question_cost_one_evaluation_a_change(pulse: Pulse, counted: _Counted) -> None:
    """Forty browsers on a page are one question; another page is another."""
    seen: list[list[Update]] = [[] for _ in range(MANY)]
    questions = [PUPILS] * (MANY - 1) + [CLASSES]
    tasks = [asyncio.create_task(_follow(pulse, one, into)) for one, into in zip(questions, seen, strict=True)]

    async def all_have(count: int) -> bool:
        return all(len(updates) == count for updates in seen)

    await poll_until(lambda: all_have(1))
    # The pulse's first look at the head may find them there already, and counts as a change.
    await asyncio.sleep(0.5)
    before = len(counted.asked)
    assert before <= 4
    counted.position = 2
    await poll_until(lambda: all_have(2))
    assert sorted(one.indicators for one in counted.asked[before:]) == [("classes",), ("pupils",)]
    assert {updates[-1].answer.figures[0].value for updates in seen} == {2.0}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not pulse._watching
    assert not pulse._evaluations


async def test_a_watcher_that_leaves_takes_no_evaluation_from_the_others(pulse: Pulse, counted: _Counted) -> None:
    """Who came first and went away while it ran does not end it."""
    counted.gate.clear()
    first = asyncio.create_task(_follow(pulse, PUPILS, []))
    await asyncio.sleep(0)
    seen: list[Update] = []
    second = asyncio.create_task(_follow(pulse, PUPILS, seen))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    counted.gate.set()

    async def answered() -> bool:
        return bool(seen)

    await poll_until(answered)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


async def test_a_failed_evaluation_is_told_to_all_and_tried_again_by_the_next(pulse: Pulse, counted: _Counted) -> None:
    """A fault is no figure: nobody is given it from memory."""
    counted.fault = Fault(Kind.UNAVAILABLE, "UNAVAILABLE", vi="x", en="x")
    failed = await asyncio.gather(*(_follow(pulse, PUPILS, []) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in failed] == [Fault] * 3
    counted.fault = None
    async with aclosing(pulse.watch(PUPILS, position="")) as updates:
        assert (await anext(updates)).answer.figures[0].value == 1.0


async def test_a_failed_evaluation_is_forgotten_while_others_still_watch(counted: _Counted) -> None:
    """Whoever comes next is answered: neither a look at the head nor the last who leaves has to clear it away."""
    pulse = Pulse(cast("Questions", counted), Scopes.of(ScopeTree([])), FixedClock(datetime(2026, 11, 2, tzinfo=UTC)))
    pulse._watching[PUPILS] += 1
    counted.fault = Fault(Kind.UNAVAILABLE, "UNAVAILABLE", vi="x", en="x")
    await asyncio.gather(_follow(pulse, PUPILS, []), return_exceptions=True)
    counted.fault = None
    assert (await pulse._evaluated(PUPILS)).answer.figures[0].value == 1.0


async def test_no_stream_opens_over_a_database_that_hangs(
    pulse: Pulse, counted: _Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes the question and never answers is as good as gone."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    counted.hanging = True
    async with asyncio.timeout(60):
        with pytest.raises(Fault) as caught:
            await pulse.check()
    assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")


async def test_who_waits_for_figures_of_a_database_that_hangs_is_told(
    pulse: Pulse, counted: _Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats for ever would say that nothing changed."""
    monkeypatch.setattr(watching, "EVALUATE_SECONDS", 0.05)
    counted.gate.clear()
    async with asyncio.timeout(60):
        with pytest.raises(Fault) as caught:
            await _follow(pulse, PUPILS, [])
    assert caught.value.reason == "DATABASE_UNAVAILABLE"


async def test_who_waits_for_a_change_is_told_once_the_database_hangs(
    pulse: Pulse, counted: _Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look itself may never return; the patience of the bell is kept short here."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    pulse.bell = Bell(patience_seconds=0.1)
    seen: list[Update] = []
    following = asyncio.create_task(_follow(pulse, PUPILS, seen))
    await poll_until(lambda: seen)
    counted.hanging = True
    with pytest.raises(Fault) as caught:
        await asyncio.wait_for(following, 60)
    assert caught.value.reason == "DATABASE_UNAVAILABLE"


async def test_who_comes_after_all_have_left_gets_what_is_true_then(pulse: Pulse, counted: _Counted) -> None:
    """Nobody looks while nobody watches, so nothing is remembered either."""
    async with aclosing(pulse.watch(PUPILS, position="")) as updates:
        assert (await anext(updates)).answer.position == 1
    counted.position = 7
    async with aclosing(pulse.watch(PUPILS, position="")) as updates:
        assert (await anext(updates)).answer.position == 7
