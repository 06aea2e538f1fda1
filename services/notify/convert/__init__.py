"""Where the contract and the domain of notify meet: events in, notices, announcements and messages out."""

from services.notify.convert.notices import alert_message, news, notice_message, requests, silences, states

__all__ = ["alert_message", "news", "notice_message", "requests", "silences", "states"]
