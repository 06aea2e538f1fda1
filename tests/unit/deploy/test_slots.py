"""How a part of the fleet is shown."""

from pathlib import Path

import httpx
import pytest

from deploy.local.processes import PING_LIMIT, Process
from deploy.local.slots import Slot, State


class Pinged:
    """A part that runs and answers a ping with an error."""

    process: Process | None = None

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def start(self) -> None:
        """It is up at once."""

    async def stop(self, *, grace: float = 0.0) -> None:
        """It ends at once."""

    def kill(self) -> None:
        """It is gone at once."""

    async def ping(self) -> None:
        """It does not serve."""
        raise self._error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ReadTimeout(""), f"did not answer within {PING_LIMIT:.0f} s"),
        (TimeoutError(), f"did not answer within {PING_LIMIT:.0f} s"),
        (OSError("sync is not serving"), "sync is not serving"),
    ],
)
async def test_a_part_that_is_slow_is_told_from_one_that_cannot_serve(error: Exception, said: str) -> None:
    """Under load all of them are slow, and none is broken."""
    slot = Slot("sync", Pinged(error), address="", log=Path("sync.log"), on_change=lambda: None)
    await slot.start()
    await slot.ping()
    assert (slot.state, slot.detail) == (State.UNREADY, said)
