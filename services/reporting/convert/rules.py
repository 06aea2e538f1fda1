"""Reads the rules of statistical reports from `rules/reports.json`."""

import json
from importlib.resources import files
from typing import Any

from services.reporting.domain.report_rules import NoticeText, ReportRules


def report_rules() -> ReportRules:
    """The rules as they are shipped."""
    table: dict[str, Any] = json.loads((files("services.reporting") / "rules" / "reports.json").read_text("utf-8"))
    reminders = table["reminders"]
    notices = {
        name: NoticeText(**(text | {"audience_roles": tuple(text["audience_roles"])}))
        for name, text in table["notices"].items()
    }
    days = sorted({*(-day for day in reminders["days_before_due"]), *reminders["days_after_due"]})
    return ReportRules(
        tuple(days), table["exports"]["kept_days"], notices, table["locks"], tuple(table["brief"]["indicators"])
    )
