"""When something is decided, and what is known of units and days then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.alerts.convert import UnitName
from services.alerts.domain.calendar import SchoolCalendar


@dataclass(frozen=True)
class Moment:
    """An instant and its day, how units are called then, and where they stand.

    `contains(above, below)` says whether a unit is or lies below another, `above(unit)` gives the units above it,
    nearest first, `peers(unit)` the units of its kind and level under the same parent, with itself.
    """

    now: datetime
    today: date
    unit_name: UnitName
    contains: Callable[[int, int], bool] = lambda _above, _below: True
    above: Callable[[int], Sequence[int]] = lambda _unit_id: ()
    peers: Callable[[int], Sequence[int]] = lambda _unit_id: ()
    calendar: SchoolCalendar | None = None

    @property
    def is_school_day(self) -> bool:
        """Whether there are lessons today; where no calendar is known every day is one."""
        return self.calendar is None or self.calendar.is_school_day(self.today)
