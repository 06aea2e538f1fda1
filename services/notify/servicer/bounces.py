"""SMTP in: mails that come back, from the relay that carries the domain of returns. Refuses every address that is no
return path of a message, and answers that it has a mail only once what follows from it is committed.
"""

import asyncio
import hashlib

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from opentelemetry.metrics import Counter

from chassis import telemetry
from chassis.workers import Worker
from services.notify.convert.bounces import bounce_in
from services.notify.domain.bounces import Fate, ReturnPath
from services.notify.servicer.channels import House
from services.notify.servicer.frame import Frame
from services.notify.store.bounces import is_ours
from services.notify.usecases.bouncing import take_bounce

MOST_BYTES = 1024 * 1024  # Notifications quote what came back, and ours are small.
SECONDS = 60.0
TAKEN, NONE_OF_OURS, LATER = "250 2.0.0 taken", "550 5.1.1 no such address", "451 4.3.0 try again later"

log = structlog.get_logger(__name__)


def bounce_intake(frame: Frame, house: House, *, domain: str, listen: str) -> Worker:
    """The worker that answers the relay."""
    intake = Intake(frame, house, domain)

    def greet() -> SMTP:
        return SMTP(intake, data_size_limit=MOST_BYTES, hostname=domain, ident="IOC Edu", timeout=SECONDS)

    async def run(stop: asyncio.Event) -> None:
        host, _, port = listen.rpartition(":")
        server = await asyncio.get_running_loop().create_server(greet, host.strip("[]"), int(port))
        try:
            await stop.wait()
        finally:
            server.close()

    for fate in Fate:
        _bounces().add(0, {"fate": fate.value})
    return Worker("bounces", run)


class Intake:
    """What aiosmtpd asks for each mail."""

    def __init__(self, frame: Frame, house: House, domain: str) -> None:
        self._frame = frame
        self._house = house
        self._domain = domain

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take return paths of messages, and no other address."""
        path = ReturnPath.read(address, self._domain)
        if path is None:
            return NONE_OF_OURS  # Whoever guesses takes no connection to the database from anybody.
        try:
            async with self._frame.database.connection() as connection:
                if not await is_ours(connection, path):
                    return NONE_OF_OURS
        except Exception as error:  # noqa: BLE001 (the relay keeps it and comes again)
            return _later(error)
        envelope.rcpt_tos.append(address)
        return TAKEN

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Note what a mail says of each message it was sent back to."""
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        bounce, digest = bounce_in(raw), hashlib.sha256(raw).hexdigest()
        paths = dict.fromkeys(ReturnPath.read(address, self._domain) for address in envelope.rcpt_tos)
        changed = False
        try:
            async with self._frame.database.transaction() as connection:
                for path in filter(None, paths):
                    changed |= await take_bounce(
                        connection,
                        path.dispatch_id,
                        bounce,
                        digest=digest,
                        rules=self._house.rules,
                        now=self._frame.clock.now(),
                    )
        except Exception as error:  # noqa: BLE001 (the relay keeps it and comes again)
            return _later(error)
        _bounces().add(1, {"fate": bounce.fate.value})
        if changed:
            self._frame.wake()
        return TAKEN

    async def handle_exception(self, error: Exception) -> str:
        """Nothing that goes wrong here makes the relay throw a mail away."""
        return _later(error)


def _later(error: Exception) -> str:
    log.warning("returned mail put off", action="bounce.put_off", error=type(error).__name__)
    return LATER


def _bounces() -> Counter:
    return telemetry.counter("iocedu_bounces", "Notifications about mails that were accepted, by what they say.")
