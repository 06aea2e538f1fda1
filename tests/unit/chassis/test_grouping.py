"""Questions that come together are answered together, each with its own answer."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from chassis.errors import Fault, Kind
from chassis.grouping import Grouped


async def test_questions_that_come_while_one_is_under_way_share_the_next_group():
    """A lone question waits for nobody; the rest go together, at most so many at once."""
    groups: list[list[int]] = []
    begun, release = asyncio.Event(), asyncio.Event()

    async def double(questions: Sequence[int]) -> list[int]:
        groups.append(list(questions))
        begun.set()
        await release.wait()
        return [2 * question for question in questions]

    grouped = Grouped(double, lanes=1, most=3)
    asked = [asyncio.ensure_future(grouped.ask(number)) for number in range(6)]
    await begun.wait()
    release.set()
    assert await asyncio.gather(*asked) == [0, 2, 4, 6, 8, 10]
    assert groups == [[0, 1, 2], [3, 4, 5]]


async def test_a_group_that_fails_fails_for_each_and_the_next_one_works():
    """An error reaches whoever asked, and nobody else."""

    async def fragile(questions: Sequence[int]) -> list[int]:
        if 13 in questions:
            raise LookupError("13")
        return list(questions)

    grouped = Grouped(fragile, lanes=1)
    with pytest.raises(LookupError):
        await grouped.ask(13)
    assert await grouped.ask(7) == 7


async def test_a_bad_question_fails_nobody_else_of_its_group():
    """A group that fails is asked one by one: only the bad question's asker hears of it."""

    async def fragile(questions: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        if 13 in questions:
            raise LookupError("13")
        return list(questions)

    grouped = Grouped(fragile, lanes=1)
    answers = await asyncio.gather(*(grouped.ask(number) for number in range(20)), return_exceptions=True)

    assert [number for number, answer in enumerate(answers) if answer != number] == [13]
    assert isinstance(answers[13], LookupError)


async def test_an_asker_who_leaves_does_not_disturb_the_others():
    """A cancelled call's answer is dropped."""

    async def same(questions: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return list(questions)

    grouped = Grouped(same, lanes=1)
    leaving, staying = (asyncio.ensure_future(grouped.ask(number)) for number in (1, 2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 2
    assert leaving.cancelled() or (await asyncio.wait({leaving}))[0] == {leaving}


async def test_who_comes_when_too_many_wait_is_told_to_try_again():
    """A flood of look-ups does not fill the memory."""
    release = asyncio.Event()

    async def slow(questions: Sequence[int]) -> list[int]:
        await release.wait()
        return list(questions)

    grouped = Grouped(slow, lanes=1, most=1, bound=2)
    asked = [asyncio.ensure_future(grouped.ask(number)) for number in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Fault) as refused:
        await grouped.ask(9)
    assert (refused.value.kind, refused.value.reason) == (Kind.UNAVAILABLE, "DATABASE_BUSY")
    release.set()
    assert [answer for answer in await asyncio.gather(*asked, return_exceptions=True) if isinstance(answer, int)]


async def test_a_group_is_worked_on_in_the_context_of_its_first_question():
    """So that what it does is seen in the trace of somebody who waits for it, and not of one long gone."""
    asker: ContextVar[int] = ContextVar("asker")
    seen: list[tuple[int, list[int]]] = []
    release = asyncio.Event()

    async def note(questions: Sequence[int]) -> list[int]:
        seen.append((asker.get(), list(questions)))
        await release.wait()
        return list(questions)

    grouped = Grouped(note, lanes=1, most=2)

    async def ask(number: int) -> int:
        asker.set(number)
        return await grouped.ask(number)

    asked = [asyncio.create_task(ask(number)) for number in range(5)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*asked)

    assert [first for first, _ in seen] == [questions[0] for _, questions in seen]
    assert sorted(number for _, questions in seen for number in questions) == list(range(5))


async def test_a_group_that_finds_its_database_away_is_not_asked_one_by_one():
    """Each would wait for the same absence."""
    calls = 0

    async def away(questions: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise Fault(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", vi="Vắng.", en="Away.")

    grouped = Grouped(away, lanes=1)
    answers = await asyncio.gather(*(grouped.ask(number) for number in range(9)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {Fault}
    assert calls <= 2, "the one that came first, and all the others"


async def test_what_nobody_waits_for_any_more_is_neither_counted_nor_done():
    """Callers whose time is over must not keep others out."""
    done: list[int] = []
    release = asyncio.Event()

    async def slow(questions: Sequence[int]) -> list[int]:
        await release.wait()
        done.extend(questions)
        return list(questions)

    grouped = Grouped(slow, lanes=1, most=1, bound=2)
    asked = [asyncio.ensure_future(grouped.ask(number)) for number in range(3)]
    await asyncio.sleep(0)
    for one in asked[1:]:
        one.cancel()
    release.set()
    await asyncio.wait(asked)
    await grouped.ask(9)

    assert done == [0, 9]
