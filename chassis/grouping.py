"""Answers many small questions by few transactions: those that come while one is under way go together into the next.

A lone question waits for nobody; a group weighs at most `most`, or is a single question. A group that fails is asked
again one by one, so that a bad question fails nobody else. Refuses to grow without bound: who comes when too many wait
is told to try again. A group is worked on in the context of its first question, in whose trace it is seen.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from chassis.errors import Fault, Kind

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class _Asked(Generic[AskedT, AnswerT]):
    """A question that waits for its answer."""

    question: AskedT
    weight: int
    future: asyncio.Future[AnswerT]
    context: Context


class Grouped(Generic[AskedT, AnswerT]):
    """Calls `work` with groups; it answers each question of its group, in order, or fails for all of them."""

    def __init__(
        self,
        work: Callable[[Sequence[AskedT]], Awaitable[Sequence[AnswerT]]],
        *,
        lanes: int = 2,
        most: int = 256,
        bound: int = 4096,
        weigh: Callable[[AskedT], int] = lambda _: 1,
    ) -> None:
        self._work = work
        self._lanes = lanes  # groups under way at once
        self._most = most
        self._bound = bound  # what may wait, by weight
        self._weigh = weigh
        self._waiting: deque[_Asked[AskedT, AnswerT]] = deque()
        self._weight = 0  # of what waits
        self._busy = 0  # lanes under way
        self._tasks: set[asyncio.Task[None]] = set()  # held, lest the loop forget them

    async def ask(self, question: AskedT) -> AnswerT:
        """Put a question into the next group and wait for its answer."""
        weight = self._weigh(question)
        if self._waiting and self._weight + weight > self._bound:
            raise _busy()
        future: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(question, weight, future, copy_context()))
        self._weight += weight
        if self._busy < self._lanes:
            self._busy += 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self) -> None:
        try:
            while group := self._next():
                await asyncio.create_task(self._answer(group), context=group[0].context)
        finally:
            # In the same step as the last look at what waits: whoever asks after it finds the lane free.
            self._busy -= 1

    def _next(self) -> list[_Asked[AskedT, AnswerT]]:
        """The next group; what nobody waits for any more is left out."""
        group: list[_Asked[AskedT, AnswerT]] = []
        weight = 0
        while self._waiting and (not group or weight + self._waiting[0].weight <= self._most):
            asked = self._waiting.popleft()
            self._weight -= asked.weight
            if not asked.future.done():
                weight += asked.weight
                group.append(asked)
        return group

    async def _answer(self, group: list[_Asked[AskedT, AnswerT]]) -> None:
        try:
            answers = await self._work([asked.question for asked in group])
        except Exception as error:  # noqa: BLE001 (whatever went wrong is each asker's to handle)
            away = isinstance(error, Fault) and error.kind is Kind.UNAVAILABLE
            if len(group) > 1 and not away:
                # One question may be what failed: nobody else's answer hangs on it.
                for one in group:
                    await asyncio.create_task(self._answer([one]), context=one.context)
                return
            for asked in group:
                if not asked.future.done():
                    asked.future.set_exception(error)
        else:
            for asked, answer in zip(group, answers, strict=True):
                if not asked.future.done():
                    asked.future.set_result(answer)


def _busy() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "DATABASE_BUSY",
        vi="Quá nhiều yêu cầu đang chờ. Vui lòng thử lại sau giây lát.",
        en="Too many requests are waiting. Please try again shortly.",
        retry_after=timedelta(milliseconds=500),
    )
