"""The only source of time: instants in UTC, days as they are lived in Viet Nam. Refuses naive instants."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def vietnam_day(instant: datetime) -> date:
    """The calendar day in Viet Nam at an instant; the instant must carry its zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone names no day")
    return instant.astimezone(VIETNAM).date()


class Clock:
    """Reads the machine's clock. Tests hand in `chassis.testing.FixedClock` instead."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)

    def today(self) -> date:
        """The present day in Viet Nam, by which schools and their rules are dated."""
        return vietnam_day(self.now())
