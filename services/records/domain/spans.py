"""Spans of days, from the first day to the day after the last; an open end is None."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Span:
    """The days from `first` on and before `after`; None is open. Refuses spans without a day."""

    first: date | None = None
    after: date | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.after is not None and self.first >= self.after:
            raise ValueError(f"{self.first} is not before {self.after}")

    @property
    def start(self) -> date:
        """The first day; the first of all days where it is open."""
        return self.first or date.min

    @property
    def end(self) -> date:
        """The day after the last; the last of all days where it is open."""
        return self.after or date.max

    def holds(self, day: date) -> bool:
        """Whether the day lies in the span."""
        return self.start <= day and (self.after is None or day < self.after)

    def overlaps(self, other: "Span") -> bool:
        """Whether the two share a day."""
        return self.start < other.end and other.start < self.end

    def covers(self, other: "Span") -> bool:
        """Whether every day of the other is one of this span's."""
        return self.start <= other.start and other.end <= self.end

    def common(self, other: "Span") -> "Span | None":
        """The days the two share."""
        if not self.overlaps(other):
            return None
        first = self.first if self.start >= other.start else other.first
        after = self.after if self.end <= other.end else other.after
        return Span(first, after)


class Dated(Protocol):
    """What holds on the days of a span."""

    @property
    def span(self) -> Span:
        """The days."""
        ...


def covered(whole: Span, parts: list[Span]) -> bool:
    """Whether every day of the whole lies in one of the parts."""
    reached = whole.start
    for part in sorted(parts, key=lambda part: part.start):
        if part.start > reached:
            break
        reached = max(reached, part.end)
    return reached >= whole.end
