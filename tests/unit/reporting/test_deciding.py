"""When it is decided what of ethnic groups is shown: for all who wait at once, and now and then while data flows."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest

from chassis.scopes import ScopeEdge, ScopeTree, ScopeUnit
from services.reporting.domain.catalogue import Catalogue, Indicator, Term
from services.reporting.domain.cube import Column, Combinations
from services.reporting.domain.disclosure import Block, disclose
from services.reporting.store.mirror import Head, Mirror, Stocks
from services.reporting.usecases import disclosing, lattice
from services.reporting.usecases.disclosing import PAUSE_SECONDS, Disclosures
from services.reporting.usecases.places import Divider
from services.reporting.usecases.querying import Answer, Question, Questions
from tests.support.waiting import poll_until

TODAY = date(2026, 11, 2)
COUNTS = ("", "", "", "", "pupil", ("level", "grade", "sex", "ethnic_group"), "")
CATALOGUE = Catalogue((Indicator("pupils", *COUNTS, numerator=Term("pupils")),))
BY_GROUP = Question("1", (), 2026, dimensions=("ethnic_group",))
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)


def _tree(schools: int) -> ScopeTree:
    units = (ScopeUnit(10 + one, "school", edges=(ScopeEdge(1),)) for one in range(schools))
    return ScopeTree([ScopeUnit(1, "province"), *units])


TREE = _tree(2)


class _Flowing:
    """Stocks that are set by hand, in place of the mirror of a database."""

    def __init__(self) -> None:
        self._combinations = Combinations()
        self._stocks = Stocks(Head(0, None), {}, {"pupils": self._combinations}, frozenset(), frozenset())

    def set(self, schools: Mapping[int, Mapping[str, int]]) -> None:
        """Other pupils by school and group, a second later."""
        columns = {
            school: self._combinations.column((f"02|01|1||||{group}" for group in counts), counts.values())
            for school, counts in schools.items()
        }
        self._move({"pupils": columns})

    def touch(self) -> None:
        """Something else than pupils changed, a second later."""
        self._move({measure: dict(schools) for measure, schools in self._stocks.columns.items()})

    def _move(self, columns: dict[str, dict[int, Column]]) -> None:
        position = self._stocks.head.position + 1
        head = Head(position, NOON + timedelta(seconds=position))
        known = frozenset(columns.get("pupils", {}))
        self._stocks = Stocks(head, columns, {"pupils": self._combinations}, known, known)

    async def stocks(self, _school_year: int) -> Stocks:
        return self._stocks


class _Watched:
    """`disclose`, counted, and held back until let go."""

    def __init__(self) -> None:
        self.count = self.at_once = self.most_at_once = 0
        self.go = threading.Event()
        self.go.set()
        self.failing = False

    def __call__(self, blocks: Sequence[Block]) -> dict[int, frozenset[str]]:
        self.count += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            assert self.go.wait(10)
            if self.failing:
                raise RuntimeError("no decision")
            return disclose(blocks)
        finally:
            self.at_once -= 1


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Watched]:
    """Decisions as they are taken."""
    watched = _Watched()
    monkeypatch.setattr(disclosing, "disclose", watched)
    yield watched
    watched.go.set()


@pytest.fixture
def data() -> _Flowing:
    """90 pupils of group 01 and 30 of group 26, half of them in each school."""
    flowing = _Flowing()
    flowing.set({10: {"01": 45, "26": 15}, 11: {"01": 45, "26": 15}})
    return flowing


class _Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> _Clock:
    """Seconds that pass by hand."""
    return _Clock()


@pytest.fixture
def questions(data: _Flowing, clock: _Clock) -> Questions:
    """Questions over the data."""
    return Questions(CATALOGUE, cast("Mirror", data), Divider(), Disclosures(clock=clock))


async def _ask(questions: Questions, question: Question = BY_GROUP, *, tree: ScopeTree = TREE) -> Answer:
    return await questions.ask(question, tree=tree, today=TODAY)


def _told(answer: Answer) -> dict[str, float | None]:
    return {one.dimension_values[-1]: one.value for one in answer.figures}


async def test_while_data_flows_groups_are_told_as_they_were_decided_upon(
    questions: Questions, data: _Flowing, clock: _Clock, decisions: _Watched
) -> None:
    """Not newer figures by an older decision: the 3 that are left of group 26 would be told. The time says how old."""
    assert PAUSE_SECONDS >= 3, "a decision takes a core for seconds: it must not be taken without end"
    first = await _ask(questions)
    data.set({10: {"01": 45, "26": 3}, 11: {"01": 45}})
    clock.seconds += PAUSE_SECONDS - 0.1
    between = await _ask(questions)
    assert _told(between) == _told(first) == {"01": 90, "26": 30}
    assert between.data_time == first.data_time == NOON + timedelta(seconds=1)
    assert decisions.count == 1
    clock.seconds += 0.1
    after = await _ask(questions)
    assert _told(after)["*"] is None
    assert "26" not in _told(after)
    assert after.data_time == NOON + timedelta(seconds=2)
    assert decisions.count == 2


async def test_the_pause_does_not_hold_back_what_is_not_by_group(questions: Questions, data: _Flowing) -> None:
    """All other figures are as new as ever."""
    await _ask(questions)
    data.set({10: {"01": 45}})
    assert [one.value for one in (await _ask(questions, Question("1", (), 2026))).figures] == [45]


async def test_what_does_not_touch_a_measure_is_no_reason_to_decide_anew(
    questions: Questions, data: _Flowing, clock: _Clock, decisions: _Watched
) -> None:
    """Staff, or another year, moves the head too; the answer is as new as the head then."""
    await _ask(questions)
    data.touch()
    clock.seconds += 10 * PAUSE_SECONDS
    assert (await _ask(questions)).data_time == NOON + timedelta(seconds=2)
    assert decisions.count == 1


async def test_who_asks_at_once_shares_a_decision_and_who_leaves_does_not_end_it(
    questions: Questions, decisions: _Watched
) -> None:
    """A thread cannot be called back: one more beside it for each who comes again would take the machine."""
    decisions.go.clear()
    for _ in range(5):
        leaving = asyncio.create_task(_ask(questions))
        await poll_until(lambda: decisions.count)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    staying = [asyncio.create_task(_ask(questions)) for _ in range(5)]
    await asyncio.sleep(0)
    decisions.go.set()
    assert [_told(one) for one in await asyncio.gather(*staying)] == [{"01": 90, "26": 30}] * 5
    assert decisions.count == 1


async def test_decisions_on_different_years_wait_for_each_other(questions: Questions, decisions: _Watched) -> None:
    """However many are asked for, one core is busy."""
    decisions.go.clear()
    years = (Question("1", (), year, dimensions=("ethnic_group",)) for year in range(2020, 2026))
    asking = [asyncio.create_task(_ask(questions, year)) for year in years]
    await poll_until(lambda: decisions.count)
    decisions.go.set()
    await asyncio.gather(*asking)
    assert (decisions.count, decisions.most_at_once) == (6, 1)


async def test_another_hierarchy_is_decided_upon_at_once(questions: Questions, decisions: _Watched) -> None:
    """A decision covers the units it was taken on; of others it would tell nothing, or too much."""
    await _ask(questions)
    by_school = Question("1", (), 2026, "school", ("ethnic_group",))
    without = ScopeTree([ScopeUnit(1, "province"), ScopeUnit(10, "school", edges=(ScopeEdge(1),))])
    answer = await _ask(questions, by_school, tree=without)
    assert {(one.unit_id, *one.dimension_values): one.value for one in answer.figures} == {
        (10, "01"): 45,
        (10, "26"): 15,
    }
    assert _told(await _ask(questions, tree=without)) == {"01": 45, "26": 15}
    assert decisions.count == 2
    await questions.ask(BY_GROUP, tree=without, today=TODAY + timedelta(days=1))
    assert decisions.count == 3


async def test_a_failed_decision_is_told_to_all_and_taken_again_for_the_next(
    questions: Questions, decisions: _Watched
) -> None:
    """A fault is no decision: nobody is given it from memory."""
    decisions.failing = True
    failed = await asyncio.gather(*(_ask(questions) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in failed] == [RuntimeError] * 3
    assert decisions.count == 1
    decisions.failing = False
    assert _told(await _ask(questions)) == {"01": 90, "26": 30}


async def test_a_province_is_prepared_in_slices(data: _Flowing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other work of the loop waits for some schools at most, not for all."""
    schools = 40
    data.set({10 + one: {"01": 45, "26": 15} for one in range(schools)})
    monkeypatch.setattr(disclosing, "SLICE", 4)
    monkeypatch.setattr(lattice, "SLICE", 4)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    sets = await lattice.Lattices().of(_tree(schools), TODAY)
    assert turns >= schools / 4
    turns = 0
    blocks = await disclosing._blocks("pupils", await data.stocks(2026), sets, {})
    turning.cancel()
    assert len(blocks) == schools
    assert turns >= schools / 4
