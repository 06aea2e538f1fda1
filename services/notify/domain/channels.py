"""Channels beside the inbox as plain values: how each behaves, how people are reached, what became of a message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from uuid import UUID

from services.notify.domain.bounces import Bounce
from services.notify.domain.delivering import Way
from services.notify.domain.notices import Matter


class Channel(StrEnum):
    """A way besides the inbox, as tables and rules name it."""

    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


ADDRESSED = (Channel.EMAIL, Channel.SMS)  # Channels whose address people give, and confirm.
CHANNEL_NUMBERS: Mapping[Channel, int] = {Channel.EMAIL: 1, Channel.SMS: 2, Channel.WEBHOOK: 3}


class Lane(IntEnum):
    """Who sends: what is urgent is sent beside the rest, and waits for none of it."""

    URGENT = 0
    REST = 1


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """How one channel behaves; an address that did not take `most_bounces` within `bounce_days` is given up."""

    least_severity: int
    gather_seconds: float
    most_together: int
    per_second: float
    burst: int
    most_attempts: int
    pause_seconds: tuple[float, float]
    lease_seconds: float
    fallback: Channel | None
    most_bounces: int = 3
    bounce_days: int = 30


@dataclass(frozen=True, slots=True)
class Contact:
    """How somebody is reached; quiet hours as `HH:MM` in Viet Nam, empty: none.

    An address is used once it is confirmed, as long as the other side has not refused it for good (`…_failure`).
    """

    email: str = ""
    phone: str = ""
    language: str = "vi"
    quiet_from: str = ""
    quiet_to: str = ""
    email_confirmed: bool = False
    phone_confirmed: bool = False
    email_failure: str = ""
    phone_failure: str = ""
    email_bounces: int = 0  # Mails that came back within some days, though there is such an address.
    email_bounces_since: datetime | None = None

    def at(self, channel: Channel) -> "Address":
        """The address on a channel."""
        if channel is Channel.EMAIL:
            return Address(self.email, self.email_confirmed, self.email_failure)
        return Address(self.phone, self.phone_confirmed, self.phone_failure)

    def known_as(self, channel: Channel, *, confirmed: bool, failure: str = "") -> "Contact":
        """The contact with something else known of an address."""
        if channel is Channel.EMAIL:
            return replace(
                self, email_confirmed=confirmed, email_failure=failure, email_bounces=0, email_bounces_since=None
            )
        return replace(self, phone_confirmed=confirmed, phone_failure=failure)

    def following(self, before: "Contact") -> "Contact":
        """The contact as somebody gives it: what is known of an address goes on as long as that is the same."""
        contact = self
        for channel in ADDRESSED:
            known, given = before.at(channel), self.at(channel)
            same = known.address == given.address
            contact = contact.known_as(
                channel, confirmed=same and known.confirmed, failure=known.failure if same else ""
            )
        if before.email == self.email:
            return replace(contact, email_bounces=before.email_bounces, email_bounces_since=before.email_bounces_since)
        return contact

    def bounced(self, now: datetime, *, within: timedelta) -> "Contact":
        """The contact once more a mail came back; those counted before go once the first is too long ago."""
        since = self.email_bounces_since
        if since is None or now - since > within:
            return replace(self, email_bounces=1, email_bounces_since=now)
        return replace(self, email_bounces=self.email_bounces + 1)


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody is reached on a channel, and what is known of that."""

    address: str
    confirmed: bool
    failure: str

    @property
    def used(self) -> bool:
        """Whether messages are sent there."""
        return bool(self.address) and self.confirmed and not self.failure


@dataclass(frozen=True, slots=True)
class Preference:
    """What somebody wants on a channel; a `least_severity` of 0 is the house's rule."""

    channel: Channel
    enabled: bool
    least_severity: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A program that is told; its secret signs what it is sent."""

    webhook_id: int
    subject: str
    url: str
    secret: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Route:
    """An address of somebody on a channel, and what is told there at least."""

    channel: Channel
    address: str
    least_severity: int


@dataclass(frozen=True, slots=True)
class Told:
    """A matter as one message tells it, and why this person."""

    matter: Matter
    because: str
    notice_id: int
    reminder: bool = False  # Of what an earlier message told.


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent now: the same id in every try, and the same token of where it comes back to."""

    dispatch_id: UUID
    channel: Channel
    subject: str
    address: str
    attempt: int
    language: str
    told: Sequence[Told]
    return_token: str = ""  # Empty: of before there were any.


class Outcome(StrEnum):
    """What came of a try."""

    STARTED = "STARTED"
    ACCEPTED = "ACCEPTED"
    RETRY = "RETRY"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a try, and what the other side said; `address_refused` where it knows no such address.

    Where a webhook was not answered `reason` says why, for programs.
    """

    outcome: Outcome
    detail: str = ""
    status: int = 0
    address_refused: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Try:
    """One try as it is kept."""

    number: int
    time: datetime
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A notification about a message as it is kept."""

    time: datetime
    bounce: Bounce


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A message as operators see it."""

    sequence: int
    dispatch_id: UUID
    channel: Channel
    subject: str
    state: Way
    priority: int
    notice_count: int
    create_time: datetime
    next_time: datetime
    done_time: datetime | None
    tries: Sequence[Try]
    bounces: Sequence[Returned]


def routes_of(
    contact: Contact | None,
    preferences: Mapping[Channel, Preference],
    webhooks: Sequence[Webhook],
    rules: Mapping[Channel, ChannelRules],
) -> list[Route]:
    """Every address at which somebody wants to be told, and what at least."""
    addresses: list[tuple[Channel, str]] = []
    if contact is not None:
        addresses += [(channel, contact.at(channel).address) for channel in ADDRESSED if contact.at(channel).used]
    addresses += [(Channel.WEBHOOK, str(webhook.webhook_id)) for webhook in webhooks]
    found = []
    for channel, address in addresses:
        wanted = preferences.get(channel)
        if address and (wanted is None or wanted.enabled):
            least = (wanted.least_severity if wanted else 0) or rules[channel].least_severity
            found.append(Route(channel, address, least))
    return found
