"""Follows the figures of a unit: all of them first, then those that changed, gathered for a moment.

A position names the state of the data and a digest of the figures sent. Who resumes gets nothing twice where nothing
changed, and everything again otherwise: never a gap, whether the data moved, the units did, or too long a time passed.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import structlog

from chassis.bell import Bell
from chassis.clock import Clock
from chassis.errors import Fault
from chassis.scopes import Scopes
from services.reporting.domain.figures import Figure
from services.reporting.usecases.querying import Answer, Question, Questions

GATHER_SECONDS = 0.2
LOOK_SECONDS = 5.0

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
    _watching: int = 0
    bell: Bell = field(default_factory=Bell)

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the head, the tree of units and the day until told to stop."""
        known: tuple[object, ...] = ()
        while not stop.is_set():
            if self._watching:
                known = await self._see(known)
            await _pause(stop)

    async def watch(self, question: Question, *, position: str) -> AsyncIterator[Update]:
        """Updates for ever; the first at once, unless `position` says that the reader has just that."""
        sent: dict[tuple[str, int], Figure] = {}
        self._watching += 1
        try:
            while True:
                moved = self.bell.next
                answer = await self.questions.ask(question, tree=self.scopes.tree, today=self.clock.today())
                here = position_of(answer)
                fresh = [figure for figure in answer.figures if sent.get((figure.indicator, figure.unit_id)) != figure]
                known = not sent and _digest_in(position) == _digest_in(here)
                sent = {(figure.indicator, figure.unit_id): figure for figure in answer.figures}
                if fresh and not known:
                    yield Update(here, replace(answer, figures=fresh))
                await moved.heard()
        finally:
            self._watching -= 1

    async def check(self) -> None:
        """Raises what a database that does not answer raises, so that no stream opens over it."""
        await self._look()

    async def _see(self, known: tuple[object, ...]) -> tuple[object, ...]:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                now = await self._look()
        except (Fault, TimeoutError) as error:
            log.warning("head not read", action="watching.head_failed", reason=self.bell.missed(error))
            return known
        if now == known:
            self.bell.quiet()
        else:
            self.bell.ring()
        return now

    async def _look(self) -> tuple[object, ...]:
        return await self.questions.mirror.head(), self.scopes.tree, self.clock.today()


def position_of(answer: Answer) -> str:
    """Where a reader stands who has these figures."""
    return f"{answer.position}.{_digest(answer.figures)}"


def _digest(figures: Sequence[Figure]) -> str:
    return f"{zlib.crc32(repr(figures).encode()):08x}"


def _digest_in(position: str) -> str:
    return position.rpartition(".")[2]


async def _pause(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), GATHER_SECONDS)
    except TimeoutError:
        return
