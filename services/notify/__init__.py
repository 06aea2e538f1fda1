"""Notify: what people are told, each in an inbox of his or her own, and beside it by mail, text message and webhook.

Owns matters (what there is to tell), notices (who was told), announcements with their receipts and answers, how people
are reached, and every message that left. Publishes `erasures-confirmed`. Listens to `alerts-changed` of alerts, to
`connections-changed` of sync, to `erasures-requested` of records, and to `notice-requested` of records, sync,
reporting and alerts. Calls no service.
Refuses to tell the same matter twice, to show anybody another person's inbox, and to announce to nobody or, unsaid, to
all.
"""
