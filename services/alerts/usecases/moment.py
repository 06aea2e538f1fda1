"""When something is decided, and what is known of units and days then."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime

from chassis.years import Years
from services.alerts.convert import UnitName
from services.alerts.domain.calendar import SchoolCalendar


@dataclass(frozen=True)
class Moment:
    """An instant and its day, how units are called then, and where they stand.

    `contains(above, below)` says whether a unit is or lies below another, `above(unit)` gives the units above it,
    nearest first, `below(unit)` the unit and all below it, `kind(unit)` what it is, `peers(unit)` the units of its kind
    and level under the same parent, with itself, `years(unit)` its school years. `calendar(unit)` its school days;
    None: no calendar is known.
    """

    now: datetime
    today: date
    unit_name: UnitName
    contains: Callable[[int, int], bool] = lambda _above, _below: True
    above: Callable[[int], Sequence[int]] = lambda _unit_id: ()
    below: Callable[[int], AbstractSet[int]] = lambda _unit_id: frozenset()
    kind: Callable[[int], str] = lambda _unit_id: ""
    peers: Callable[[int], Sequence[int]] = lambda _unit_id: ()
    years: Callable[[int], Years] = lambda _unit_id: Years()
    calendar: Callable[[int], SchoolCalendar] | None = None

    def is_school_day(self, unit_id: int) -> bool:
        """Whether the day is a school day of a unit; where no calendar is known every day is."""
        return self.calendar is None or self.calendar(unit_id).is_school_day(self.today)

    def first_in_school(self, unit_id: int, instant: datetime) -> datetime | None:
        """The first instant from one on that lies in a school day of a unit, within months.

        Where no calendar is known every day is a school day.
        """
        return instant if self.calendar is None else self.calendar(unit_id).first_in_school(instant)
