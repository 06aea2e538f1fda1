"""Which addresses signed requests go to, how they are signed, and that no receiver holds up who sends."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import webhooks
from chassis.webhooks import AddressRefusedError, Delivery, NotDeliveredError, checked_place, is_public, post

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("2002:808:808::1", True),
        ("64:ff9b::808:808", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("2002:7f00:1::1", False),
        ("2001:0:808:808::80ff:fffe", False),
        ("2001:0:7f00:1::f7f7:f7f7", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::808:808", False),
    ],
)
def test_private_local_and_disguised_addresses_are_not_public(address, public):
    """Also those that hide an old address in a new one: mapped, 6to4, Teredo, NAT64."""
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/in",
        "https://user:word@8.8.8.8/in",
        "https://8.8.8.8:99999/in",
        "https://[::1/in",
        "https:///in",
        "https://10.1.2.3/in",
        "https://[64:ff9b::7f00:1]/in",
        "https://[2002:7f00:1::1]/in",
        f"https://{'a' * 70}.example/in",
    ],
)
async def test_addresses_inside_and_none_are_refused(url):
    """Before anything is sent."""
    with pytest.raises(AddressRefusedError):
        await checked_place(url, private_allowed=False)


async def test_a_name_that_leads_inside_and_outside_is_refused(monkeypatch):
    """Whichever of its addresses comes first."""

    async def found(_host: str, port: int, **_more: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    for addresses in (["8.8.8.8", "10.1.2.3"], ["10.1.2.3", "8.8.8.8"]):  # noqa: B007 (what the name leads to)
        with pytest.raises(AddressRefusedError, match="not public"):
            await checked_place("https://both.example/in", private_allowed=False)
    addresses = ["8.8.8.8", "8.8.4.4"]
    assert (await checked_place("https://both.example/in", private_allowed=False)).name == "both.example"


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "CERTIFICATE"),
        (ConnectionRefusedError(111, "refused"), "UNREACHABLE"),
    ],
)
async def test_what_does_not_arrive_says_why_for_programs(cause, reason):
    """By what lies at the bottom of the failure, whatever words it has."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(str(cause)) from cause

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as client:
        with pytest.raises(NotDeliveredError) as failed:
            await post(client, Delivery("m", "https://8.8.8.8/in", "whsec_AA==", b"{}"), private_allowed=False)
    assert failed.value.reason == reason


async def test_a_request_goes_to_the_address_that_was_checked():
    """Under the name that people gave."""
    place = await checked_place("https://8.8.8.8/in?a=b", private_allowed=False)
    assert (str(place.url), place.host, place.name) == ("https://8.8.8.8/in?a=b", "8.8.8.8", "8.8.8.8")
    assert (await checked_place("http://127.0.0.1:9/in", private_allowed=True)).url.port == 9


@given(st.binary(max_size=200), st.integers(0, 2**31), st.integers(-600, 600), st.sampled_from(["", "an-older-secret"]))
def test_a_signature_holds_for_its_message_and_for_five_minutes(body, timestamp, later, older):
    """Another id, body or time, or an old request, does not pass."""
    secret = older or webhooks.new_secret()
    given_ = webhooks.signature(secret, message_id="m", timestamp=timestamp, body=body)

    def passes(body: bytes, timestamp: int, message_id: str = "m") -> bool:
        now = timestamp + later
        return webhooks.verified(secret, message_id=message_id, timestamp=timestamp, body=body, given=given_, now=now)

    assert passes(body, timestamp) is (abs(later) <= 300)
    assert not passes(body + b"x", timestamp)
    assert not passes(body, timestamp + 1)
    assert not passes(body, timestamp, "other")


@asynccontextmanager
async def receiver(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that answers as told, for ever if it likes; the address of its door."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
    server.close()


async def delivered(url: str) -> int:
    """One request to a receiver on this machine."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return await post(client, Delivery("m", url, webhooks.new_secret(), b"{}"), private_allowed=True)


async def test_a_receiver_that_drips_is_left_at_the_deadline(monkeypatch):
    """Each byte comes in time, the answer never does."""
    monkeypatch.setattr(webhooks, "DEADLINE_SECONDS", 0.5)

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        while True:
            writer.write(b"x-more: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with asyncio.timeout(5), receiver(drip) as url:
        with pytest.raises(NotDeliveredError, match="no answer within"):
            await delivered(url)


async def test_an_endless_body_is_cut_and_its_status_counts(monkeypatch):
    """However fast it comes, little of it is read."""
    monkeypatch.setattr(webhooks, "DRAIN_SECONDS", 60)
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with asyncio.timeout(5), receiver(pour) as url:
        assert await delivered(url) == 200
    assert sent < 50_000_000


async def test_a_body_that_drips_does_not_take_the_status_back(monkeypatch):
    """The receiver has said what it had to say; nobody waits for the rest, and it is not sent again."""
    monkeypatch.setattr(webhooks, "DRAIN_SECONDS", 0.2)

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"content-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    started = time.monotonic()
    async with asyncio.timeout(5), receiver(drip) as url:
        assert await delivered(url) == 200
    assert time.monotonic() - started < webhooks.DEADLINE_SECONDS
