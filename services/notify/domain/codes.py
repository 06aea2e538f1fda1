"""Codes by which people confirm their addresses: how long they hold, how often they are tried and sent."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

VALID = timedelta(hours=24)
BETWEEN = timedelta(minutes=1)  # Between two codes to one address.
DAY = timedelta(days=1)
MOST_A_DAY = 5  # Codes sent for a channel of a person, whatever the address: nobody writes to strangers through us.
MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was sent to an address, of which only the digest is kept."""

    subject: str
    channel: str
    address: str
    code_hash: str
    matter_id: int
    expire_time: datetime
    tries_left: int
    sent_time: datetime
    day_time: datetime
    day_count: int

    def fits(self, code: str, *, now: datetime) -> bool:
        """Whether this is the code, tried in time."""
        return self.tries_left > 0 and now < self.expire_time and self.code_hash == digest(self.subject, code)

    def may_follow(self, now: datetime) -> datetime | None:
        """When another may be sent; None: now."""
        if now < self.sent_time + BETWEEN:
            return self.sent_time + BETWEEN
        if now < self.day_time + DAY and self.day_count >= MOST_A_DAY:
            return self.day_time + DAY
        return None


def new_code() -> str:
    """Six digits."""
    return f"{secrets.randbelow(1_000_000):06}"


def digest(subject: str, code: str) -> str:
    """What is kept of a code."""
    return hashlib.sha256(f"{subject}\0{code}".encode()).hexdigest()


def sent(
    before: Code | None, code: str, *, subject: str, channel: str, address: str, matter_id: int, now: datetime
) -> Code:
    """The code that is sent after the one before."""
    same_day = before is not None and now < before.day_time + DAY
    return Code(
        subject,
        channel,
        address,
        digest(subject, code),
        matter_id,
        now + VALID,
        MOST_TRIES,
        now,
        before.day_time if before is not None and same_day else now,
        before.day_count + 1 if before is not None and same_day else 1,
    )
