"""Mails that come back: to which address, what a notification says of them, and what that says of the address.

A mail leaves with a return path of its own, `<message>-<token>@<domain>`. The token is known to the mail systems on its
way and to nobody else, so that nobody can let other people's mails come back (variable envelope return path).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

TOKEN_BYTES = 12
PERMANENT = 500
_LOCAL_PART = re.compile(r"([0-9a-f]{32})-([0-9a-f]{24})")
# What servers say of an address that is none: by the enhanced code (RFC 3463) where they give one, else by the reply
# code (RFC 5321). All else that is permanent is about us or the mail: a blocked sender, a relay denied, a full mailbox.
_ENHANCED = re.compile(r"#?5\.(\d{1,3}\.\d{1,3})\b")
_NO_ADDRESS = frozenset({"1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
_NO_MAILBOX = frozenset({550, 551, 553})
_REPLY = re.compile(r"\b([245]\d\d)[ -](.*)", re.DOTALL)
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")


class Fate(StrEnum):
    """What became of a mail after it was accepted: the actions of RFC 3464, or that it is not said."""

    FAILED = "FAILED"
    DELAYED = "DELAYED"
    DELIVERED = "DELIVERED"
    RELAYED = "RELAYED"
    EXPANDED = "EXPANDED"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """Where one mail comes back to: which message it is, and the token that shows it."""

    dispatch_id: UUID
    token: str

    def address(self, domain: str) -> str:
        """The address at the domain of returns."""
        return f"{self.dispatch_id.hex}-{self.token}@{domain}"

    @classmethod
    def read(cls, address: str, domain: str) -> "ReturnPath | None":
        """From an address, in whatever case a server hands it on; None: it is none of ours."""
        local, _, at = address.strip("<> ").lower().rpartition("@")
        found = _LOCAL_PART.fullmatch(local)
        return cls(UUID(found[1]), found[2]) if found and at == domain.lower() else None


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a notification says of a mail: its fate, the status (RFC 3463, empty: none), and in the server's words."""

    fate: Fate
    status: str = ""
    detail: str = ""

    @property
    def no_address(self) -> bool:
        """Whether the other side says that there is no such address; all else may pass, as a full mailbox does."""
        if self.fate is not Fate.FAILED:
            return False
        said = _REPLY.search(self.detail)
        vague = not self.status or self.status.endswith(".0.0")
        if vague and said is not None:
            return is_no_address(int(said[1]), said[2])
        return is_no_address(100 * int(self.status[:1] or 0), self.status)


def bounce_of(action: str, status: str, detail: str) -> Bounce:
    """From the fields of one recipient; an action that is none is not said."""
    word = re.match(r"[a-z]+", action.strip().lower())
    fate = Fate.__members__.get(word[0].upper(), Fate.UNREADABLE) if word else Fate.UNREADABLE
    found = _STATUS.search(status)
    return Bounce(fate, found[0] if found else "", detail)


def gravest(bounces: Iterable[Bounce]) -> Bounce | None:
    """What counts where a mail was handed on to several."""
    order = list(Fate)
    return min(bounces, key=lambda one: order.index(one.fate), default=None)


def is_no_address(code: int, said: str) -> bool:
    """Whether a server says that there is no such address, and not that it does not want our mails."""
    enhanced = _ENHANCED.match(said.lstrip())
    return code >= PERMANENT and (enhanced[1] in _NO_ADDRESS if enhanced else code in _NO_MAILBOX)
