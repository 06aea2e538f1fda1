"""The rules of statistical reports as values: when people are reminded, what they are told, how long files are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What is said, to the holders of which roles, and how grave it is; texts have `{placeholders}`.

    `and_above`: also to who holds them above the unit, or on every unit.
    """

    severity: int
    audience_roles: tuple[str, ...]
    title_vi: str
    title_en: str
    body_vi: str
    body_en: str
    and_above: bool = False


@dataclass(frozen=True, slots=True)
class ReportRules:
    """The rules."""

    reminder_days: tuple[int, ...]  # Days from the deadline on which people are reminded, negative before it, rising.
    export_kept_days: int
    notices: Mapping[str, NoticeText]
    lock_reasons: Mapping[str, str]  # What records is told, by `approved` and `reopened`.
    brief_indicators: tuple[str, ...]  # The key figures of a morning brief.

    def reminders_by(self, today: date, due: date) -> int:
        """How many reminders of a deadline should have been sent by a day."""
        return sum(1 for day in self.reminder_days if (today - due).days >= day)
