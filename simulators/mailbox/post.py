"""The SMTP side: takes every mail, refuses and delays on request by the name of the address."""

import asyncio
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators.mailbox.store import Box

REFUSED, BUSY, MUTE = "tu-choi", "ban", "cham"
MUTE_SECONDS = 3600.0


class Handler:
    """What aiosmtpd asks for each mail."""

    def __init__(self, box: Box) -> None:
        self._box = box

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
        if any(recipient.startswith(MUTE) for recipient in envelope.rcpt_tos):
            await asyncio.sleep(MUTE_SECONDS)
        return "250 kept (simulated)"


def post_office(box: Box, *, host: str, port: int) -> Controller:
    """The server, to be started and stopped."""
    return Controller(Handler(box), hostname=host, port=port, ident="IOC Edu mailbox simulator")
