"""School years by their first calendar year. Refuses nothing: every day lies in one."""

from datetime import date

FIRST_MONTH = 8


def school_year_of(day: date) -> int:
    """First calendar year of the school year a day lies in; a year runs from 1 August on."""
    return day.year if day.month >= FIRST_MONTH else day.year - 1
