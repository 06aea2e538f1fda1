"""The SMTP side: takes every mail; refuses, delays or sends back on request by the name of the address."""

import asyncio
import smtplib
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators.mailbox.store import Box

REFUSED, BUSY, MUTE, RETURNED, FULL = "tu-choi", "ban", "cham", "tra-lai", "day-hop"
MUTE_SECONDS = 3600.0
# Addresses whose mail is taken and comes back: status, and what the server behind is said to answer.
LATER = {
    RETURNED: ("5.1.1", "smtp; 550 5.1.1 no such mailbox (simulated)"),
    FULL: ("4.2.2", "smtp; 452 4.2.2 mailbox full (simulated)"),
}
RETURN_SECONDS, RETURN_TRIES, HAND_OVER_SECONDS = 1.0, 30, 10.0


class Handler:
    """What aiosmtpd asks for each mail."""

    def __init__(self, box: Box, bounces: str) -> None:
        self._box = box
        self._bounces = bounces
        self._returning: set[asyncio.Task[None]] = set()

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str], *_more: Any
    ) -> str:
        """Refuse an address for good, for the moment, or take it."""
        if address.startswith(REFUSED):
            return "550 5.1.1 no such mailbox (simulated)"
        if address.startswith(BUSY):
            return "451 4.3.0 try again later (simulated)"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep the mail; for some addresses never say so."""
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        for recipient in envelope.rcpt_tos:
            self._box.keep(recipient, raw)
        for recipient in envelope.rcpt_tos:
            for name, (status, said) in LATER.items():
                if recipient.startswith(name) and self._bounces and envelope.mail_from:
                    mail = notification(recipient, envelope.mail_from, status=status, said=said)
                    task = asyncio.create_task(self._send_back(mail, envelope.mail_from))
                    self._returning.add(task)
                    task.add_done_callback(self._returning.discard)
        if any(recipient.startswith(MUTE) for recipient in envelope.rcpt_tos):
            await asyncio.sleep(MUTE_SECONDS)
        return "250 kept (simulated)"

    async def _send_back(self, mail: Message, path: str) -> None:
        """Hand a notification to whoever takes what comes back, as mail systems do: from nobody, again if need be."""
        for _ in range(RETURN_TRIES):
            await asyncio.sleep(RETURN_SECONDS)
            try:
                await asyncio.to_thread(hand_over, mail.as_bytes(), path, self._bounces)
            except smtplib.SMTPRecipientsRefused:
                return
            except (smtplib.SMTPException, OSError):
                continue
            return


def hand_over(mail: bytes, path: str, to: str) -> None:
    """Send a mail to an address from nobody, as notifications are."""
    host, _, port = to.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=HAND_OVER_SECONDS) as server:
        server.sendmail("", [path], mail)


def notification(recipient: str, path: str, *, status: str, said: str) -> Message:
    """A delivery status notification (RFC 3464) that says that a mail could not be delivered."""
    mail = MIMEMultipart("report", report_type="delivery-status")
    mail["From"], mail["To"], mail["Subject"] = "MAILER-DAEMON@iocedu.invalid", path, "Undelivered (simulated)"
    mail["Auto-Submitted"] = "auto-replied"
    mail.attach(MIMEText("Your mail could not be delivered (simulated)."))
    told = Message()
    told["Content-Type"] = "message/delivery-status"
    about, each = Message(), Message()
    about["Reporting-MTA"] = "dns; iocedu.invalid"
    each["Final-Recipient"], each["Action"], each["Status"] = f"rfc822; {recipient}", "failed", status
    each["Diagnostic-Code"] = said
    told.set_payload([about, each])
    mail.attach(told)
    return mail


def post_office(box: Box, *, host: str, port: int, bounces: str = "") -> Controller:
    """The server, to be started and stopped; `bounces` is where it hands over what comes back, empty: nowhere."""
    return Controller(Handler(box, bounces), hostname=host, port=port, ident="IOC Edu mailbox simulator")
