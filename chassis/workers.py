"""What runs beside the gRPC server: workers, whose death stops the process, and checks, which decide readiness."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Worker:
    """Background work that runs until its stop event is set; ending earlier, or failing, stops the process.

    A worker that `drains` (the outbox relay) is told to stop only after the server has answered its last call, so that
    what these calls committed still leaves.
    """

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]
    drains: bool = False


@dataclass(frozen=True)
class Check:
    """Asks one dependency whether it answers; raises when it does not."""

    name: str
    ping: Callable[[], Awaitable[None]]
