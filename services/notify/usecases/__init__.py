"""What notify does, one function per intention; each runs in the transaction it is handed.

The order of locks is announcements, receipts, requests, matters, groups, matters of groups, notices, positions.
"""

from services.notify.usecases.erasing import erase
from services.notify.usecases.inbox import acknowledge_notice, alerts_of_notice, read_notice
from services.notify.usecases.news import audience_in, deliver_news, place_in
from services.notify.usecases.requests import deliver_requests

__all__ = [
    "acknowledge_notice",
    "alerts_of_notice",
    "audience_in",
    "deliver_news",
    "deliver_requests",
    "erase",
    "place_in",
    "read_notice",
]
