"""Follows the figures of a unit: all of them first, then those that changed, gathered for a moment.

Watchers of one question share one evaluation a change: what it gives depends on the question alone, and who may ask it
is decided before it gets here.

A position names the state of the data and a digest of the figures sent. Who resumes gets nothing twice where nothing
changed, and everything again otherwise: never a gap, whether the data moved, the units did, or too long a time passed.
Who waits while the database stays away, or takes a question and never answers, is told so.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog

from chassis.bell import Bell
from chassis.clock import Clock
from chassis.database import gone
from chassis.errors import Fault
from chassis.scopes import Scopes
from services.reporting.domain.figures import Figure
from services.reporting.usecases.querying import Answer, Question, Questions

GATHER_SECONDS = 0.2
LOOK_SECONDS = 5.0
EVALUATE_SECONDS = 20.0  # The first question of a year reads all of it.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Update:
    """Figures that are new to the reader, and the position after them."""

    position: str
    answer: Answer


@dataclass
class Pulse:
    """Tells watchers that something may have changed: one look for all of them, and only while there are any."""

    questions: Questions
    scopes: Scopes
    clock: Clock
    bell: Bell = field(default_factory=Bell)
    _watching: Counter[Question] = field(default_factory=Counter)
    _evaluations: dict[Question, asyncio.Task[Update]] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the head, the tree of units and the day until told to stop."""
        known: tuple[object, ...] = ()
        while not stop.is_set():
            if self._watching:
                known = await self._see(known)
            await _pause(stop)

    async def watch(self, question: Question, *, position: str) -> AsyncGenerator[Update, None]:
        """Updates for ever; the first at once, unless `position` says that the reader has just that."""
        sent: dict[tuple[str, int], Figure] = {}
        self._watching[question] += 1
        try:
            while True:
                moved = self.bell.next
                newest = await self._evaluated(question)
                answer = newest.answer
                fresh = [figure for figure in answer.figures if sent.get((figure.indicator, figure.unit_id)) != figure]
                known = not sent and _digest_in(position) == _digest_in(newest.position)
                sent = {(figure.indicator, figure.unit_id): figure for figure in answer.figures}
                if fresh and not known:
                    yield replace(newest, answer=replace(answer, figures=fresh))
                await moved.heard()
        finally:
            self._watching[question] -= 1
            if not self._watching[question]:
                # Nobody waits for it; and once nobody watches at all, nobody looks whether it still holds.
                del self._watching[question]
                self._evaluations.pop(question, None)

    async def _evaluated(self, question: Question) -> Update:
        """All figures as they stand, evaluated by whoever comes first; a watcher that leaves does not end it."""
        evaluation = self._evaluations.get(question)
        if evaluation is None:
            evaluation = self._evaluations[question] = asyncio.create_task(self._evaluate(question))
            evaluation.add_done_callback(lambda done: self._forget_failed(question, done))
        return await asyncio.shield(evaluation)

    async def _evaluate(self, question: Question) -> Update:
        async with _answered_within(EVALUATE_SECONDS):
            answer = await self.questions.ask(question, tree=self.scopes.tree, today=self.clock.today())
        return Update(position_of(answer), answer)

    def _forget_failed(self, question: Question, done: asyncio.Task[Update]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._evaluations.get(question) is done:
            del self._evaluations[question]

    async def check(self) -> None:
        """Raises what a database that does not answer raises, so that no stream opens over it."""
        await self._look()

    async def _see(self, known: tuple[object, ...]) -> tuple[object, ...]:
        try:
            now = await self._look()
        except Fault as error:
            log.warning("head not read", action="watching.head_failed", reason=self.bell.missed(error))
            return known
        if now == known:
            self.bell.quiet()
        else:
            self._evaluations.clear()
            self.bell.ring()
        return now

    async def _look(self) -> tuple[object, ...]:
        async with _answered_within(LOOK_SECONDS):
            head = await self.questions.mirror.head()
        return head, self.scopes.tree, self.clock.today()


def position_of(answer: Answer) -> str:
    """Where a reader stands who has these figures."""
    return f"{answer.position}.{_digest(answer.figures)}"


def _digest(figures: Sequence[Figure]) -> str:
    return f"{zlib.crc32(repr(figures).encode()):08x}"


def _digest_in(position: str) -> str:
    return position.rpartition(".")[2]


@asynccontextmanager
async def _answered_within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise gone() from None


async def _pause(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), GATHER_SECONDS)
    except TimeoutError:
        return
