"""Matters, notices, announcements and messages as plain values, and the rules that decide about them."""

from services.notify.domain.notices import (
    Delivery,
    Grouping,
    Matter,
    News,
    Notice,
    Recipient,
    Request,
    State,
    because,
    newest,
)

__all__ = ["Delivery", "Grouping", "Matter", "News", "Notice", "Recipient", "Request", "State", "because", "newest"]
