"""Where the contract and the domain of alerts meet: events and requests in, alerts, rules and events out."""

from services.alerts.convert.alerts import (
    UnitName,
    alert_message,
    alerts_changed,
    count_message,
    group_message,
    instant,
    states,
    step_message,
    whole_alert_message,
)
from services.alerts.convert.facts import (
    class_facts,
    coverage_facts,
    is_backfill,
    push_facts,
    school_figures,
    successions,
    target_facts,
)
from services.alerts.convert.records import RecordRows, first_position, record_rows
from services.alerts.convert.rules import draft_of, rule_message, statistics_message

__all__ = [
    "RecordRows",
    "UnitName",
    "alert_message",
    "alerts_changed",
    "class_facts",
    "count_message",
    "coverage_facts",
    "draft_of",
    "first_position",
    "group_message",
    "instant",
    "is_backfill",
    "push_facts",
    "record_rows",
    "rule_message",
    "school_figures",
    "states",
    "statistics_message",
    "step_message",
    "successions",
    "target_facts",
    "whole_alert_message",
]
