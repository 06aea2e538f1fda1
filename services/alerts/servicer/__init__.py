"""gRPC in: requests to use cases, answers out. Who may call what is decided before this is reached."""

from services.alerts.servicer.alerts import AlertsServicer
from services.alerts.servicer.desk import Desk
from services.alerts.servicer.handling import HandlingServicer
from services.alerts.servicer.insight import InsightServicer
from services.alerts.servicer.rules import RulesServicer

__all__ = ["AlertsServicer", "Desk", "HandlingServicer", "InsightServicer", "RulesServicer"]
