"""Answers many small questions by few transactions: those that come while one is under way go together into the next.

A lone question waits for nobody; a group holds at most `most`. A group that fails is asked again one by one, so that a
bad question fails nobody else. Refuses to grow without bound: who comes when too many wait is told to try again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

from chassis.errors import Fault, Kind

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")


class Grouped(Generic[AskedT, AnswerT]):
    """Calls `work` with groups; it answers each question of its group, in order, or fails for all of them."""

    def __init__(
        self,
        work: Callable[[Sequence[AskedT]], Awaitable[Sequence[AnswerT]]],
        *,
        lanes: int = 2,
        most: int = 256,
        bound: int = 4096,
    ) -> None:
        self._work = work
        self._lanes = lanes  # groups under way at once
        self._most = most
        self._bound = bound  # questions that may wait
        self._waiting: list[tuple[AskedT, asyncio.Future[AnswerT]]] = []
        self._busy = 0  # lanes under way
        self._tasks: set[asyncio.Task[None]] = set()  # held, lest the loop forget them

    async def ask(self, question: AskedT) -> AnswerT:
        """Put a question into the next group and wait for its answer."""
        if len(self._waiting) >= self._bound:
            raise _busy()
        future: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._busy < self._lanes:
            self._busy += 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer(group)
        finally:
            # In the same step as the last look at what waits: whoever asks after it finds the lane free.
            self._busy -= 1

    async def _answer(self, group: list[tuple[AskedT, asyncio.Future[AnswerT]]]) -> None:
        try:
            answers = await self._work([question for question, _ in group])
        except Exception as error:  # noqa: BLE001 (whatever went wrong is each asker's to handle)
            away = isinstance(error, Fault) and error.kind is Kind.UNAVAILABLE
            if len(group) > 1 and not away:
                # One question may be what failed: nobody else's answer hangs on it.
                for one in group:
                    await self._answer([one])
                return
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _busy() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "DATABASE_BUSY",
        vi="Quá nhiều yêu cầu tra cứu đang chờ. Vui lòng thử lại sau giây lát.",
        en="Too many look-ups are waiting. Please try again shortly.",
        retry_after=timedelta(milliseconds=500),
    )
