"""Alerts: rules over facts, and the life of each alert they raise.

Owns rules, the newest facts they look at and what these were, alerts and silences; of pupils it keeps keys and counts,
no names. Publishes `alerts-changed`, `erasures-confirmed`. Listens to `figures-changed` and `targets-changed` of
reporting, `coverage-changed` and `pushes-changed` of sync, `records-changed`, `units-changed` and
`erasures-requested` of records; calendars come with the scopes. Calls nobody. Refuses to raise the same thing twice
while it is open, to raise anything from a backfill, to leave an alert open on a rule that is no longer in force, and a
rule that cannot be used.
"""
