"""Alerts: rules over facts, and the life of each alert they raise.

Owns rules, the newest facts they look at, and alerts. Publishes `alerts-changed`. Listens to `figures-changed` of
reporting and `connections-changed` of sync. Calls nobody. Refuses to raise the same thing twice while it is open,
to raise anything from a backfill, and to leave an alert open on a rule that is no longer in force.
"""
