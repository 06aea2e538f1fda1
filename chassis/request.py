"""What the running request brings along besides its caller: until when, in which language, whether the server stops,
and, of a stream, whether its caller still may.
"""

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

RETURN_SECONDS = 0.02  # Kept back from a deadline, so that the answer still arrives in time.


@dataclass(frozen=True, slots=True)
class Request:
    """The frame of the running request."""

    method: str
    deadline: float | None  # On the monotonic clock; None where the caller waits for ever.
    language: str
    stopping: asyncio.Event | None = None  # Set when the server is about to stop.
    decide: Callable[[], None] = lambda: None  # Raises NO_GRANT or TOKEN_EXPIRED once the caller no longer may.

    def seconds_left(self) -> float | None:
        """How long the work may still take."""
        return None if self.deadline is None else self.deadline - time.monotonic()


_request: ContextVar[Request | None] = ContextVar("request", default=None)


def current_request() -> Request | None:
    """The frame of the running request; None outside of one."""
    return _request.get()


def ask_again() -> None:
    """Raise NO_GRANT or TOKEN_EXPIRED if the caller of a stream no longer may; outside of a request nobody asks."""
    if request := _request.get():
        request.decide()


def set_request(request: Request) -> None:
    """Bind the frame to the running task; for the interceptors."""
    _request.set(request)
