"""Keys of partners at a real Envoy: taken and refused within seconds of the set it is shown, with a clear reason."""

import asyncio
import json
from typing import Any

import httpx
import jwt

from deploy.local.ports import free_port
from services.sync.servicer.key_set import answering
from tests.integration.gateway.conftest import opened
from tests.integration.gateway.test_refusing import WHERE
from tests.support.signing import Signer
from tests.support.waiting import poll_until


def _shown(signer: Signer) -> dict[str, Any]:
    told = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(signer.key.public_key()))
    return {**told, "kid": signer.kid, "alg": "ES256"}


async def test_a_key_that_leaves_the_set_is_refused_at_the_edge_within_seconds(own_keys, parrot, tmp_path):
    """An unknown key is told apart from a forged or expired token; what passes is judged by the service again."""
    nobodys, signer = Signer("nobody", "nobody"), Signer("edusoft", "k1")
    held: list[Signer] = []

    async def body() -> bytes:
        return json.dumps({"keys": [_shown(one) for one in (nobodys, *held)]}).encode()

    port = free_port()
    async with (
        await asyncio.start_server(answering(body), "127.0.0.1", port),
        opened(own_keys, tmp_path, backend=parrot[0], partner_jwks=f"http://127.0.0.1:{port}/jwks.json") as door,
        httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=20) as client,
    ):

        async def told(token: str) -> tuple[str, str]:
            answer = await client.get(WHERE, headers={"authorization": f"Bearer {token}"})
            info: dict[str, str] = next((each for each in answer.json().get("details", []) if "reason" in each), {})
            return info.get("domain", ""), info.get("reason", "")

        async def passes() -> bool:
            return (await told(signer.token()))[0] == "parrot.iocedu"  # which follows no keyring, and says so itself

        async def is_unknown() -> bool:
            return await told(signer.token()) == ("gateway.iocedu", "UNKNOWN_KEY")

        await poll_until(is_unknown)
        held.append(signer)
        await poll_until(passes)
        assert await told(Signer("edusoft", "k1").token()) == ("gateway.iocedu", "INVALID_TOKEN")
        assert await told(signer.token(seconds=-100)) == ("gateway.iocedu", "TOKEN_EXPIRED")
        assert await told(own_keys.token("person:an")) == ("", ""), "other tokens pass as before"
        held.clear()
        await poll_until(is_unknown)
