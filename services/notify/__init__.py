"""Notify: what people are told, each in an inbox of his or her own.

Owns matters (what there is to tell) and notices (who was told). Publishes nothing. Listens to `alerts-changed` of
alerts. Calls nobody. Refuses to tell anyone the same matter twice, and to show anybody another person's inbox.
"""
