"""Wakes all who wait for one thing, or tells them that it can no longer be seen.

A stream goes on beating while it waits. If what it waits for cannot be read, each beat would say that nothing changed
when nobody knows; so those who wait get a fault instead, their streams end with it, and readers come back later. A
short absence, such as a restart, is waited out.
"""

import asyncio
import time
from collections.abc import Callable

from chassis.database import gone
from chassis.errors import Fault

PATIENCE_SECONDS = 3.0


class Ring:
    """One ring of the bell, still to come."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._fault: Fault | None = None

    async def heard(self) -> None:
        """Wait for it; raises the fault it came with."""
        await self._rung.wait()
        if self._fault is not None:
            raise self._fault.with_traceback(None)  # One fault for all who wait: it must not gather their tracebacks.

    def give(self, fault: Fault | None) -> None:
        """Let it be heard."""
        self._fault = fault
        self._rung.set()


class Bell:
    """Rung by one who looks, heard by many who wait. Take `next` before looking for oneself, so that none is missed."""

    def __init__(
        self, *, patience_seconds: float = PATIENCE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.next = Ring()
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._away_since: float | None = None

    def ring(self) -> None:
        """Something is new."""
        self.quiet()
        self._give(None)

    def quiet(self) -> None:
        """Looked, and nothing is new."""
        self._away_since = None

    def now(self) -> float:
        """The bell's own time."""
        return self._clock()

    def missed(self, error: Fault | TimeoutError, *, since: float | None = None) -> str:
        """Could not look, by a look that began at `since`; who waits hears of it once that has lasted.

        Returns the reason.
        """
        fault = error if isinstance(error, Fault) else gone()
        now = self._clock()
        if self._away_since is None:
            self._away_since = now if since is None else since
        if now - self._away_since >= self._patience_seconds:
            self._give(fault)
        return fault.reason

    def _give(self, fault: Fault | None) -> None:
        ring, self.next = self.next, Ring()
        ring.give(fault)
