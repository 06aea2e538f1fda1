"""When and how often a message is tried: priorities, quiet hours, pauses between tries, and the pace of a channel."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import IntEnum

from services.notify.domain.notices import Matter


class Priority(IntEnum):
    """In which order messages leave. What is urgent has a lane of its own and waits for nothing."""

    URGENT = 0
    ORDINARY = 1
    BULK = 2


class Way(IntEnum):
    """Where a message is; numbers as in the contract."""

    QUEUED = 1
    SENDING = 2
    SENT = 3
    DEAD = 4
    CANCELLED = 5
    BOUNCED = 6


def weight_of(matter: Matter) -> int:
    """How grave a matter counts for what people chose: what a unit announces is at least a warning."""
    return max(matter.gravity, 2) if matter.announcement_id else matter.gravity


def priority_of(matter: Matter) -> Priority:
    """How urgent a message about a matter is."""
    if matter.severity == "critical":
        return Priority.URGENT
    return Priority.BULK if matter.announcement_id else Priority.ORDINARY


def pause_before(attempt: int, *, first: float, longest: float, share: float) -> timedelta:
    """How long to wait before the try after `attempt`: doubling, bounded, up to half left out by a random `share`.

    Those who failed together so do not come back together.
    """
    whole = min(first * 2 ** min(attempt - 1, 30), longest)
    return timedelta(seconds=whole * (1 - share / 2))


def after_quiet_hours(now: datetime, quiet_from: str, quiet_to: str, zone: tzinfo) -> datetime:
    """The instant itself, or the end of the quiet hours it lies in; they may pass midnight."""
    if not quiet_from or not quiet_to or quiet_from == quiet_to:
        return now
    local = now.astimezone(zone)
    begin, end = time.fromisoformat(quiet_from), time.fromisoformat(quiet_to)
    clock = local.time().replace(tzinfo=None)
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not inside:
        return now
    day = local.date() + timedelta(days=int(begin > end and clock >= begin))
    return datetime.combine(day, end, tzinfo=zone).astimezone(UTC)


def paced(free: datetime | None, now: datetime, *, per_second: float, burst: int, wanted: int) -> tuple[int, datetime]:
    """How many of the wanted may leave now, and when the channel is free after them.

    `free` is when the channel would be free had it sent without a pause; it may lie `burst` messages ahead of now.
    """
    begin = max(free or now, now)
    step = timedelta(seconds=1 / per_second)
    ahead = now + burst * step
    allowed = max(0, min(wanted, (ahead - begin) // step))
    return allowed, begin + allowed * step
