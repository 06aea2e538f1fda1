"""Destinations and how they are served: when they may be called, how long to wait after failures, what states mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import IntEnum
from typing import Final

BREAK_AFTER: Final = 3  # Failures in a row after which the circuit opens.
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)  # A destination that comes back is noticed within it.
PACKAGE_SIZE: Final = 500  # Records in a package, unless a destination is told otherwise.
LONGEST_RETRY: Final = timedelta(hours=1)
MOST_ATTEMPTS: Final = 5  # Of a record that is refused for a reason that may pass.


class Kind(IntEnum):
    """Kind of a destination, as the interface numbers it."""

    MINISTRY = 1
    WEBHOOK = 2


class ExchangeForm(IntEnum):
    """In which of its observed forms the ministry is spoken to, as the interface numbers it."""

    NONE = 0  # A subscriber is told by webhooks.
    TYPED_PACKAGES = 1
    RECORD_EVENTS = 2


class PushState(IntEnum):
    """State of a record on its way, as the interface numbers it."""

    AWAITING_COMPOSITION = 1
    COMPOSITION_FAILED = 2
    QUEUED = 3
    SENT = 4  # Never stored: a queued record whose package has left.
    ACCEPTED = 5
    FAILED = 6
    TO_REPEAT = 7
    WITHHELD = 8


class PackageState(IntEnum):
    """State of a package."""

    MADE = 1
    SENT = 2
    SETTLED = 3


@dataclass(frozen=True, slots=True)
class Window:
    """A part of each day, in Viet Nam; one whose end comes before its beginning ends on the next day."""

    since: time
    until: time

    def holds(self, at: time) -> bool:
        """Whether a time of the day lies within."""
        if self.since <= self.until:
            return self.since <= at < self.until
        return at >= self.since or at < self.until


@dataclass(frozen=True, slots=True)
class Destination:
    """To whom records are passed on."""

    code: str
    kind: Kind
    form: ExchangeForm
    display_name: str
    endpoint: str
    unit_id: int
    paused: bool
    windows: tuple[Window, ...]
    calls_per_second: float
    package_size: int
    secret: str
    position: int
    failure_count: int
    open_until: datetime | None
    problem_reason: str
    problem: str
    problem_en: str
    create_time: datetime

    def is_open(self, now: datetime) -> bool:
        """Whether it may be called at an instant, in the local time of `now`."""
        if self.paused or (self.open_until is not None and now < self.open_until):
            return False
        return in_windows(self.windows, now.timetz().replace(tzinfo=None))


def in_windows(windows: Sequence[Window], at: time) -> bool:
    """Whether a time of the day lies in one of the windows; none means always."""
    return not windows or any(window.holds(at) for window in windows)


def pause_after(failures: int, *, chance: float) -> timedelta:
    """How long to leave a destination alone after so many failures in a row; `chance` (0 to 1) spreads callers."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(max(failures - BREAK_AFTER, 0), 10)
    return min(doubled, LONGEST_PAUSE) * (0.5 + chance / 2)


def retry_after(attempts: int, *, chance: float, longest: timedelta = LONGEST_RETRY) -> timedelta:
    """How long to wait before a record or school is tried once more, after so many attempts."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts, 12)
    return min(doubled, longest) * (0.5 + chance / 2)


def next_version(sent: int, position: int) -> int:
    """The version a record is sent under: higher than ever before, and than a stale sender's idea of it."""
    return max(sent + 1, position)


def new_destination(
    code: str,
    *,
    kind: Kind,
    display_name: str,
    endpoint: str,
    unit_id: int,
    at: datetime,
    calls_per_second: float = 20.0,
    secret: str = "",
) -> Destination:
    """A destination to which nothing was sent yet."""
    return Destination(
        code=code,
        kind=kind,
        form=ExchangeForm.TYPED_PACKAGES if kind is Kind.MINISTRY else ExchangeForm.NONE,
        display_name=display_name,
        endpoint=endpoint,
        unit_id=unit_id,
        paused=False,
        windows=(),
        calls_per_second=calls_per_second,
        package_size=PACKAGE_SIZE,
        secret=secret,
        position=0,
        failure_count=0,
        open_until=None,
        problem_reason="",
        problem="",
        problem_en="",
        create_time=at,
    )
