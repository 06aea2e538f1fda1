"""What alerts does, one function per intention; each runs in the transaction it is handed."""

from services.alerts.usecases.acknowledge import acknowledge_alert
from services.alerts.usecases.caseload import caseload
from services.alerts.usecases.climb import escalate_overdue, follow_units, take_successions
from services.alerts.usecases.erasing import erase
from services.alerts.usecases.evaluate import look_at_due_facts, take_facts
from services.alerts.usecases.follow_calendars import follow_calendars
from services.alerts.usecases.follow_figures import follow_figures
from services.alerts.usecases.follow_rules import follow_rules, look_at_standing
from services.alerts.usecases.handle import comment_alert, reopen_alert, resolve_alert
from services.alerts.usecases.project import follow_records, renew
from services.alerts.usecases.silence import cover_silenced, create_silence, end_silence, release_uncovered
from services.alerts.usecases.sum_up import sum_up, sum_up_everything
from services.alerts.usecases.try_rules import backtest, dry_run
from services.alerts.usecases.write_rules import create_rule, switch_rule, update_rule

__all__ = [
    "acknowledge_alert",
    "backtest",
    "caseload",
    "comment_alert",
    "cover_silenced",
    "create_rule",
    "create_silence",
    "dry_run",
    "end_silence",
    "erase",
    "escalate_overdue",
    "follow_calendars",
    "follow_figures",
    "follow_records",
    "follow_rules",
    "follow_units",
    "look_at_due_facts",
    "look_at_standing",
    "release_uncovered",
    "renew",
    "reopen_alert",
    "resolve_alert",
    "sum_up",
    "sum_up_everything",
    "switch_rule",
    "take_facts",
    "take_successions",
    "update_rule",
]
