"""Facts, rules and the life of an alert as plain values. It decides what happens; writing it down is others' work."""

from services.alerts.domain.alerts import (
    FIRST_KEPT,
    NEWEST_KEPT,
    SHOWN_STEPS,
    Alert,
    Change,
    judge,
    raise_alert,
    told_of,
)
from services.alerts.domain.asked import AlertFilter, Count, summed
from services.alerts.domain.facts import Fact, newest
from services.alerts.domain.rules import Reach, Rule, Severity
from services.alerts.domain.shapes import (
    CLASS_SIZE,
    COVERAGE,
    KINDS,
    PUPIL,
    PUSHES,
    SCHOOL_YEAR,
    SHAPES,
    TARGET,
    Scalar,
)
from services.alerts.domain.steps import Reason, Resolution, State, Step, Transition
from services.alerts.domain.texts import UNIT_NAME, render, unknown_placeholders

__all__ = [
    "CLASS_SIZE",
    "COVERAGE",
    "FIRST_KEPT",
    "KINDS",
    "NEWEST_KEPT",
    "PUPIL",
    "PUSHES",
    "SCHOOL_YEAR",
    "SHAPES",
    "SHOWN_STEPS",
    "TARGET",
    "UNIT_NAME",
    "Alert",
    "AlertFilter",
    "Change",
    "Count",
    "Fact",
    "Reach",
    "Reason",
    "Resolution",
    "Rule",
    "Scalar",
    "Severity",
    "State",
    "Step",
    "Transition",
    "judge",
    "newest",
    "raise_alert",
    "render",
    "summed",
    "told_of",
    "unknown_placeholders",
]
