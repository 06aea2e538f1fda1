"""What alerts does, one function per intention; each runs in the transaction it is handed."""

from services.alerts.usecases.acknowledge import acknowledge_alert
from services.alerts.usecases.evaluate import look_at_due_facts, take_facts

__all__ = ["acknowledge_alert", "look_at_due_facts", "take_facts"]
