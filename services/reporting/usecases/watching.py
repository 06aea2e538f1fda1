"""Follows the figures of a unit: all of them first, then those that changed, gathered for a moment.

A position names the state of the data and a digest of the figures sent. Who resumes gets nothing twice where nothing
changed, and everything again otherwise: never a gap, whether the data moved, the units did, or too long a time passed.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import structlog

from chassis.clock import Clock
from chassis.errors import Fault
from chassis.scopes import Scopes
from services.reporting.domain.figures import Figure
from services.reporting.usecases.querying import Answer, Question, Questions

GATHER_SECONDS = 0.2

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
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the head, the tree of units and the day until told to stop."""
        known: tuple[object, ...] = ()
        while not stop.is_set():
            try:
                now = await self._look() if self._watching else known
            except Fault as fault:
                # Watchers keep what they have; they learn what changed once the database answers again.
                log.warning("head not read", action="watching.head_failed", reason=fault.reason)
                now = known
            if now != known:
                known = now
                moved, self._moved = self._moved, asyncio.Event()
                moved.set()
            await _pause(stop)

    async def watch(self, question: Question, *, position: str) -> AsyncIterator[Update]:
        """Updates for ever; the first at once, unless `position` says that the reader has just that."""
        sent: dict[tuple[str, int], Figure] = {}
        self._watching += 1
        try:
            while True:
                moved = self._moved
                answer = await self.questions.ask(question, tree=self.scopes.tree, today=self.clock.today())
                here = position_of(answer)
                fresh = [figure for figure in answer.figures if sent.get((figure.indicator, figure.unit_id)) != figure]
                known = not sent and _digest_in(position) == _digest_in(here)
                sent = {(figure.indicator, figure.unit_id): figure for figure in answer.figures}
                if fresh and not known:
                    yield Update(here, replace(answer, figures=fresh))
                await moved.wait()
        finally:
            self._watching -= 1

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
