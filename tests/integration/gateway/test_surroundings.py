"""What operators put around the edge: a certificate of their own, a scraper for its metrics."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.local.ports import free_port
from tests.integration.gateway.conftest import opened
from tests.integration.gateway.parrot import parrot_pb2, parrot_pb2_grpc


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "tls.crt", folder / "tls.key"
    chain.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, secret


async def test_with_a_certificate_rest_and_grpc_are_encrypted_on_the_one_port(
    own_keys, parrot, certificate, tmp_path: Path
):
    """The same port, the same answers; plain text is no longer understood."""
    chain, secret = certificate
    given: dict[str, Any] = {"certificate": str(chain), "private_key": str(secret)}
    token = own_keys.token("an")
    async with opened(own_keys, tmp_path, backend=parrot[0], **given) as safe:
        port = safe.address.partition(":")[2]
        trust = ssl.create_default_context(cafile=str(chain))
        async with httpx.AsyncClient(base_url=f"https://localhost:{port}", verify=trust, trust_env=False) as caller:
            answer = await caller.get("/v1/perches/low/words/hello", headers={"authorization": f"Bearer {token}"})
            assert answer.json()["subject"] == "an"
        credentials = grpc.ssl_channel_credentials(chain.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            stub = parrot_pb2_grpc.ParrotServiceStub(channel)
            metadata = (("authorization", f"Bearer {token}"),)
            said = await stub.Say(parrot_pb2.SayRequest(word="hello"), metadata=metadata, timeout=5)
            assert said.subject == "an"
        async with httpx.AsyncClient(trust_env=False) as caller:
            with pytest.raises(httpx.TransportError):
                await caller.get(f"http://localhost:{port}/livez")


@asynccontextmanager
async def _publishing(text: bytes) -> AsyncIterator[str]:
    """Answer every request with one JSON document; yields the address."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: "

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + str(len(text)).encode() + b"\r\n\r\n" + text)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def published(own_keys):
    """The public keys as their issuer publishes them."""
    return Path(own_keys.jwks).read_bytes()


async def test_keys_can_come_from_the_identity_providers_address(own_keys, published, parrot, tmp_path: Path):
    """Fetched when Envoy starts; who is signed by them passes, who is not does not."""
    async with (
        _publishing(published) as address,
        opened(own_keys, tmp_path, backend=parrot[0], jwks=f"http://{address}/keys") as door,
        httpx.AsyncClient(base_url=door.url, trust_env=False) as caller,
    ):
        signed = {"authorization": f"Bearer {own_keys.token('an')}"}
        assert (await caller.get("/v1/perches/low/words/hello", headers=signed)).json()["subject"] == "an"
        forged = {"authorization": f"Bearer {own_keys.token('an')[:-4]}AAAA"}
        assert (await caller.get("/v1/perches/low/words/hello", headers=forged)).status_code == 401


async def test_metrics_can_be_scraped_and_nothing_else(own_keys, parrot, tmp_path: Path):
    """Requests are counted by response class; the page that stops Envoy cannot be reached from there."""
    page = f"127.0.0.1:{free_port()}"
    async with (
        opened(own_keys, tmp_path, backend=parrot[0], metrics=page) as door,
        httpx.AsyncClient(trust_env=False) as caller,
    ):
        assert (await caller.get(f"{door.url}/livez")).status_code == 200
        text = (await caller.get(f"http://{page}/metrics")).text
        assert 'envoy_http_downstream_rq_xx{envoy_response_code_class="2"' in text
        assert (await caller.post(f"http://{page}/quitquitquit")).status_code == 404
        assert (await caller.get(f"{door.url}/livez")).status_code == 200
