"""Silences: which alerts are not told for a time, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which alerts below a unit are not told; an empty rule, family or subject stands for all."""

    silence_id: int
    unit_id: int
    rule: str
    family: str
    subject: str
    start_time: datetime
    end_time: datetime
    reason: str
    created_by: str
    create_time: datetime
    ended_by: str = ""

    @property
    def name(self) -> str:
        """How an alert says that this keeps it from being told."""
        return f"silence:{self.silence_id}"

    def covers(self, *, rule: str, family: str, subject: str, lies_below: Callable[[int], bool]) -> bool:
        """Whether it covers an alert; `lies_below` says whether that stands on a unit or below it."""
        return (
            self.rule in ("", rule)
            and self.family in ("", family)
            and self.subject in ("", subject)
            and lies_below(self.unit_id)
        )
