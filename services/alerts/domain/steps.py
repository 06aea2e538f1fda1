"""What can happen to an alert, why, and what is kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from services.alerts.domain.calendar import VIETNAM


class State(IntEnum):
    """Where an alert is in its life; numbers as in the contract. SUPPRESSED is seen from outside only."""

    OPEN = 1
    ACKNOWLEDGED = 2
    RESOLVED = 3
    SUPPRESSED = 4


class Transition(IntEnum):
    """What happened to an alert; numbers as in the contract. ERASED is told and not kept: nothing is left to date."""

    RAISED = 1
    ACKNOWLEDGED = 2
    RESOLVED = 3
    CARRIED_OVER = 4
    ESCALATED = 5
    REOPENED = 6
    COMMENTED = 7
    SUPPRESSED = 8
    RELEASED = 9
    MOVED = 10
    ERASED = 11
    UPDATED = 12


class Reason(IntEnum):
    """Why an alert changed; numbers as in the contract."""

    NONE = 0
    FACTS_CHANGED = 1
    RULE_WITHDRAWN = 2
    RULE_CHANGED = 3
    BY_HAND = 4
    SILENCE = 5
    INHIBITED = 6
    OVERDUE = 7
    UNIT_MERGED = 8


class Resolution(IntEnum):
    """What became of an alert that was closed by hand; numbers as in the contract."""

    NONE = 0
    DEALT_WITH = 1
    FALSE_ALARM = 2
    ACCEPTED = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an alert after it was raised, and the version of the rule it stood on from then.

    `unit_id` is where it climbed or moved to; 0 where it did neither. The titles are what it says from then on, where
    that changed. A step that a later version took is a number this one has no name for, and may say `further` things:
    both are handed on as they are.
    """

    transition: int
    time: datetime
    rule_version: int
    by: str = ""
    note: str = ""
    reason: int = Reason.NONE
    unit_id: int = 0
    title_vi: str = ""
    title_en: str = ""
    further: Mapping[str, Any] = field(default_factory=dict)

    def is_followed_by(self, step: "Step") -> bool:
        """Whether a step takes the place of this one: both tell newer facts, on one day in Viet Nam."""
        both = self.transition == step.transition == Transition.UPDATED
        return both and self.time.astimezone(VIETNAM).date() == step.time.astimezone(VIETNAM).date()
