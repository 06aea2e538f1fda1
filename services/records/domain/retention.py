"""How long what is kept, and what becomes of it then: dated rules with their sources (`rules/retention.json`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

ATTENDANCE_NAMES: Final = "attendance_names"  # whom registers name, and why somebody was away


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long something is kept, from a day on."""

    what: str
    about: str
    kept_days: int | None  # none: for ever
    valid_from: date
    source: str

    def before(self, today: date) -> date | None:
        """The day before which nothing is kept any more; None: all is."""
        return None if self.kept_days is None else today - timedelta(days=self.kept_days)


def rule_in_force(rules: Sequence[RetentionRule], what: str, day: date) -> RetentionRule | None:
    """The newest rule about something on a day."""
    fitting = [one for one in rules if one.what == what and one.valid_from <= day]
    return max(fitting, key=lambda one: one.valid_from, default=None)


def read_retention_rules(table: Mapping[str, Any]) -> Sequence[RetentionRule]:
    """Read the rules from their table."""
    return [
        RetentionRule(one["what"], one["about"], one["kept_days"], date.fromisoformat(one["valid_from"]), one["source"])
        for one in table["rules"]
    ]
