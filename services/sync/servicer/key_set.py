"""HTTP in, for the edge alone: the public keys by which partners sign, as a JWKS. Knows one address and nothing else.

The set is read from the database each time, so that it is never older than the answer. It is never empty: an edge that
is shown no key at all keeps those it had.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.identity import public_jwk
from chassis.workers import Worker
from services.sync.convert.keys import shown
from services.sync.store import partners as store
from services.sync.usecases.partners import Partners

PATH: Final = b"/jwks.json"
NOBODYS: Final = "nobody"  # Its private half is thrown away.
SECONDS: Final = 5.0
MOST_REQUEST: Final = 16_384

log = structlog.get_logger(__name__)


def key_page(partners: Partners, *, listen: str) -> Worker:
    """The worker that answers the edge."""
    nobodys = public_jwk(ec.generate_private_key(ec.SECP256R1()), kid=NOBODYS, service=False)

    async def body() -> bytes:
        async with partners.database.connection() as reads:
            held = await store.in_force(reads, now=partners.clock.now())
        return json.dumps({"keys": [nobodys, *map(shown, held)]}).encode()

    async def run(stop: asyncio.Event) -> None:
        host, _, port = listen.rpartition(":")
        server = await asyncio.start_server(answering(body), host.strip("[]"), int(port), limit=MOST_REQUEST)
        async with server:
            await stop.wait()

    return Worker("partner-keys", run)


def answering(body: Callable[[], Awaitable[bytes]]) -> Any:
    """What answers a connection, by HTTP, with a set of keys."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, text = await _reply(head, body)
                writer.write(_HEAD % (status, len(text)) + text)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # Who does not ask in time, or in full, is not answered.
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    return answer


_HEAD: Final = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"


async def _reply(head: bytes, body: Callable[[], Awaitable[bytes]]) -> tuple[bytes, bytes]:
    words = head.split(b" ", 2)
    if words[0] != b"GET" or len(words) < 2 or words[1] != PATH:
        return b"404 Not Found", b"{}"
    try:
        return b"200 OK", await body()
    except Exception as error:  # noqa: BLE001 (the edge keeps what it has and asks again)
        log.warning("keys not shown", action="partners.keys_failed", error=str(error))
        return b"503 Service Unavailable", b"{}"
