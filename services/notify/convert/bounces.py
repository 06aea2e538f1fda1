"""Notifications of mails (RFC 3464, RFC 6533, qmail) as strangers write them: whatever they hold, nothing fails."""

import re
from collections.abc import Iterator
from email import message_from_bytes, message_from_string
from email.message import Message
from itertools import takewhile

import structlog

from services.notify.domain.bounces import Bounce, Fate, bounce_of, gravest
from services.notify.domain.messages import one_line

STATUSES = frozenset({"message/delivery-status", "message/global-delivery-status"})
MOST_DETAIL = 300
_QMAIL = "Hi. This is the"  # How each begins (QSBMF, the notifications of qmail-send and of what follows it).
_QMAIL_RECIPIENT = re.compile(r"<[^>\n]*>:?[ \t]*\n(.*)", re.DOTALL)

log = structlog.get_logger(__name__)


def bounce_in(raw: bytes) -> Bounce:
    """What a mail says that came back; one that is no notification says nothing but its subject."""
    try:
        return _bounce_in(message_from_bytes(raw))
    except Exception as error:  # noqa: BLE001 (nested without end, of no charset: what cannot be read says nothing)
        log.warning("notification not read", action="bounce.unreadable", error=type(error).__name__)
        return Bounce(Fate.UNREADABLE)


def _bounce_in(mail: Message) -> Bounce:
    found = gravest(
        bounce_of(
            str(fields.get("Action", "")),
            str(fields.get("Status", "")),
            one_line(str(fields.get("Diagnostic-Code") or fields.get("Status", "")), MOST_DETAIL),
        )
        for part in mail.walk()
        if part.get_content_type() in STATUSES
        for fields in _recipients(part)
    )
    return (
        found or _by_qmail(mail) or Bounce(Fate.UNREADABLE, detail=one_line(str(mail.get("Subject", "")), MOST_DETAIL))
    )


def _by_qmail(mail: Message) -> Bounce | None:
    """What qmail says in prose of a fixed form, up to the mail that it quotes; of other prose nothing is read.

    Paragraphs: a greeting, one that begins with `<` for each recipient that failed, one that begins with `-`.
    """
    if mail.is_multipart() or mail.get_content_type() != "text/plain":
        return None
    content = mail.get_payload(decode=True)
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
    greeting, *paragraphs = re.split(r"\n(?:[ \t]*\n)+", text.replace("\r\n", "\n").strip())
    told = list(takewhile(lambda one: not one.startswith("-"), paragraphs))
    if not greeting.startswith(_QMAIL) or len(told) == len(paragraphs):
        return None
    words = [found[1] for one in told if (found := _QMAIL_RECIPIENT.match(one))]
    return gravest(bounce_of("failed", said, one_line(said, MOST_DETAIL)) for said in words)


def _recipients(part: Message) -> Iterator[Message]:
    """The groups of fields of recipients. The first group is about the mail as a whole and has no action."""
    inside = part.get_payload()
    text = "\n\n".join(map(str, inside)) if isinstance(inside, list) else str(inside)
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() in ("base64", "quoted-printable"):
        text = _decoded(text, str(part["Content-Transfer-Encoding"]))
    for group in re.split(r"\n[ \t\r]*\n", text.replace("\r\n", "\n")):
        fields = message_from_string(group.strip("\n"))
        if "Action" in fields:
            yield fields


def _decoded(text: str, encoding: str) -> str:
    """Encoded nevertheless, which RFC 3464 forbids and servers do."""
    coded = Message()
    coded["Content-Transfer-Encoding"] = encoding.strip()
    coded.set_payload(text.strip())
    content = coded.get_payload(decode=True)
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
