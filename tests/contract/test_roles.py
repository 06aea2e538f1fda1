"""Roles are data of records; what other services know of them is the same list."""

from services.alerts.domain.rules import ROLES as ALERTED
from services.records.domain.grants import ROLES


def test_rules_of_alerts_may_name_every_role_and_no_other() -> None:
    """A role that is added to records is added to alerts: else its holders could not be told."""
    assert set(ALERTED) == ROLES
