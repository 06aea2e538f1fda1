"""What alerts does, one function per intention; each runs in the transaction it is handed."""

from services.alerts.usecases.acknowledge import acknowledge_alert
from services.alerts.usecases.evaluate import look_at_due_facts, take_facts
from services.alerts.usecases.follow_rules import follow_rules

__all__ = ["acknowledge_alert", "follow_rules", "look_at_due_facts", "take_facts"]
