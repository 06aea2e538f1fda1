"""Tables of alerts and every query on them."""

from services.alerts.store.alerts import (
    add_alerts,
    carry_alerts,
    changed_after,
    count_alerts,
    list_alerts,
    lock_alert,
    lock_unresolved,
    outdated_alerts,
    update_alerts,
)
from services.alerts.store.facts import claim_due_facts, keep_facts, lock_facts, put_off
from services.alerts.store.rules import list_rules, rules_in_force
from services.alerts.store.tables import metadata

__all__ = [
    "add_alerts",
    "carry_alerts",
    "changed_after",
    "claim_due_facts",
    "count_alerts",
    "keep_facts",
    "list_alerts",
    "list_rules",
    "lock_alert",
    "lock_facts",
    "lock_unresolved",
    "metadata",
    "outdated_alerts",
    "put_off",
    "rules_in_force",
    "update_alerts",
]
