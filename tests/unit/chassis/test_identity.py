"""Tokens: only good ones pass, keys are rotated without a restart, a service's key speaks for that service alone."""

import asyncio
import base64
import hmac
import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from chassis import identity
from chassis.errors import Fault, Kind
from chassis.identity import Caller, ServiceIdentity, Verifier, caller, public_jwk, set_caller
from chassis.testing import AUDIENCE, ISSUER, ISSUER_KID, Keys


@pytest.fixture
def own_keys(tmp_path):
    """An issuer and two services."""
    return Keys.create(tmp_path, ["toy", "friend"])


@pytest.fixture
def verifier(own_keys):
    """Verifies by the file of those keys."""
    return Verifier(jwks=own_keys.jwks, issuer=ISSUER, audience=AUDIENCE)


async def _refusal(verifier, token):
    with pytest.raises(Fault) as refused:
        await verifier.verify(token)
    assert refused.value.kind is Kind.UNAUTHENTICATED
    return refused.value.reason


def _signed(key, kid, algorithm="ES256", **claims):
    now = int(time.time())
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "an", "iat": now, "exp": now + 60} | claims
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})


def _publish(own_keys, jwk):
    _write(own_keys, json.dumps({"keys": [jwk]}))


def _write(own_keys, text):
    Path(own_keys.jwks).write_text(text)


def _read(own_keys):
    return Path(own_keys.jwks).read_bytes()


async def test_a_good_token_says_who(own_keys, verifier):
    """Subject and, for a service that works for somebody, the actor."""
    person = await verifier.verify(own_keys.token("an"))
    assert (person.subject, person.service, person.actor) == ("an", None, None)
    service = await verifier.verify(own_keys.identity("toy").token(act="an"))
    assert (service.subject, service.service, service.actor) == ("service:toy", "toy", "an")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"seconds": -1}, "TOKEN_EXPIRED"),
        ({"iss": "https://elsewhere.test"}, "INVALID_TOKEN"),
        ({"aud": "other"}, "INVALID_TOKEN"),
        ({"exp": None}, "INVALID_TOKEN"),
        ({"iat": None}, "INVALID_TOKEN"),
        ({"seconds": 86_500}, "INVALID_TOKEN"),
        ({"sub": None}, "INVALID_TOKEN"),
        ({"nbf": 4_000_000_000}, "INVALID_TOKEN"),
        ({"sub": "service:toy"}, "INVALID_TOKEN"),
    ],
)
async def test_a_token_that_proves_nothing_here_is_refused(own_keys, verifier, claims, reason):
    """Expired, foreign, without an end or a beginning, too long-lived, not valid yet, or of a service by the issuer."""
    subject = {"subject": "an"} if "sub" not in claims else {"subject": str(claims["sub"])}
    rest = {name: value for name, value in claims.items() if name != "sub" or value is None}
    assert await _refusal(verifier, own_keys.token(**subject, **rest)) == reason


async def test_junk_and_unsigned_tokens_are_refused(own_keys, verifier):
    """Neither text nor the algorithm `none` passes."""
    unsigned = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "an", "exp": 4_000_000_000}, "", algorithm="none")
    good = own_keys.token("an")
    for token in ("", "x", "a.b.c", unsigned, good[:-3] + "AAA"):
        assert await _refusal(verifier, token) == "INVALID_TOKEN"


async def test_a_public_key_is_no_secret_to_sign_with(own_keys, verifier):
    """A token signed with HMAC over the published key is refused (algorithm confusion)."""
    public = own_keys.issuer_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (
            {"alg": "HS256", "kid": ISSUER_KID},
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "an", "exp": 4_000_000_000},
        )
    )
    signature = hmac.new(public, header + b"." + body, "sha256").digest()
    token = b".".join((header, body, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()
    assert await _refusal(verifier, token) == "INVALID_TOKEN"


async def test_a_service_speaks_for_itself_alone(own_keys, verifier):
    """With its key a service can sign neither for a person nor for another service."""
    key = own_keys.identity("toy")._key
    assert await _refusal(verifier, _signed(key, "toy", sub="an")) == "INVALID_TOKEN"
    assert await _refusal(verifier, _signed(key, "toy", sub="service:friend")) == "INVALID_TOKEN"


async def test_rsa_keys_are_taken_too(own_keys, verifier):
    """Identity providers often sign with RS256."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "rsa-1"}
    _publish(own_keys, jwk)
    verified = await verifier.verify(_signed(key, "rsa-1", algorithm="RS256"))
    assert verified.subject == "an"


async def test_a_new_key_works_at_once_and_a_withdrawn_one_no_longer(own_keys, verifier, monkeypatch):
    """The file is read again when a token shows an unknown key, and when it has changed."""
    old = own_keys.token("an")
    await verifier.verify(old)
    new_key = ec.generate_private_key(ec.SECP256R1())
    _publish(own_keys, public_jwk(new_key, kid="issuer-2", service=False))
    assert (await verifier.verify(_signed(new_key, "issuer-2"))).subject == "an"
    assert await _refusal(verifier, old) == "INVALID_TOKEN"


@pytest.mark.parametrize("text", ["{", "[]", "{}", "7", '{"keys": [{"kty": "EC"}]}'])
async def test_a_broken_key_file_leaves_the_known_keys(own_keys, verifier, text):
    """An operator's slip does not lock everybody out."""
    token = own_keys.token("an")
    await verifier.verify(token)
    _write(own_keys, text)
    verifier._tried = float("-inf")
    assert (await verifier.verify(token)).subject == "an"


async def test_a_cached_token_still_expires(own_keys, verifier, monkeypatch):
    """Remembering a token does not lengthen its life."""
    token = own_keys.token("an", seconds=60)
    await verifier.verify(token)
    now = time.time()
    monkeypatch.setattr("chassis.identity.time.time", lambda: now + 61)
    assert await _refusal(verifier, token) == "TOKEN_EXPIRED"
    assert token not in verifier._cache


async def test_the_cache_stays_small(own_keys, verifier, monkeypatch):
    """Many callers do not grow the process."""
    monkeypatch.setattr(identity, "MOST_CACHED", 3)
    for number in range(6):
        await verifier.verify(own_keys.token(f"caller-{number}"))
    assert len(verifier._cache) == 3


async def test_keys_come_from_a_url_too(own_keys):
    """And are asked for once, not once a call."""
    asked = 0
    body = _read(own_keys)

    async def answer(reader, writer):
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        verifier = Verifier(jwks=f"http://127.0.0.1:{port}/jwks.json", issuer=ISSUER, audience=AUDIENCE)
        for subject in ("an", "binh"):
            assert (await verifier.verify(own_keys.token(subject))).subject == subject
        stranger = _signed(ec.generate_private_key(ec.SECP256R1()), "unknown")
        assert await _refusal(verifier, stranger) == "INVALID_TOKEN"
        assert await _refusal(verifier, stranger) == "INVALID_TOKEN"
    assert asked == 1


def test_a_service_token_is_made_anew_before_it_ends(own_keys, monkeypatch):
    """A call that leaves now still arrives with a good token."""
    toy = own_keys.identity("toy")
    now = time.time()
    first = toy.token()
    assert toy.token() == first
    monkeypatch.setattr("chassis.identity.time.time", lambda: now + 239)
    assert toy.token() == first
    monkeypatch.setattr("chassis.identity.time.time", lambda: now + 241)
    second = toy.token()
    assert second != first
    claims = jwt.decode(second, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 300
    assert toy.token(act="an") != second


def test_a_service_needs_its_own_kind_of_key(tmp_path):
    """Another kind of key is refused at start, not at the first call."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path / "toy.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(TypeError, match="ES256"):
        ServiceIdentity("toy", path, issuer=ISSUER)


async def test_the_caller_belongs_to_its_task():
    """Two requests side by side do not see each other's caller; outside of one there is none."""
    with pytest.raises(RuntimeError, match="no caller"):
        caller()

    async def request(name):
        set_caller(Caller(subject=name))
        await asyncio.sleep(0)
        return caller().subject

    assert [*await asyncio.gather(request("an"), request("binh"))] == ["an", "binh"]


async def test_without_keys_nobody_is_called_a_liar(own_keys, tmp_path):
    """The server is not ready, and a good token is answered with UNAVAILABLE until the keys are there."""
    late = tmp_path / "late.json"
    verifier = Verifier(jwks=str(late), issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(LookupError, match="no keys"):
        await verifier.ping()
    with pytest.raises(Fault) as refused:
        await verifier.verify(own_keys.token("an"))
    assert refused.value.kind is Kind.UNAVAILABLE
    late.write_bytes(_read(own_keys))
    assert (await verifier.verify(own_keys.token("an"))).subject == "an"
    await verifier.ping()


async def test_an_unreachable_issuer_is_not_asked_for_every_token(own_keys):
    """A flood of calls does not become a flood of requests."""
    asked = 0

    async def refuse(_reader, writer):
        nonlocal asked
        asked += 1
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        verifier = Verifier(jwks=f"http://127.0.0.1:{port}/jwks.json", issuer=ISSUER, audience=AUDIENCE)
        answers = await asyncio.gather(
            *(verifier.verify(own_keys.token(f"caller-{number}")) for number in range(20)), return_exceptions=True
        )
    assert {answer.kind for answer in answers if isinstance(answer, Fault)} == {Kind.UNAVAILABLE}
    assert (len(answers), asked) == (20, 1)


@pytest.mark.parametrize(
    ("claims", "cause", "field", "said"),
    [
        (lambda now: {"exp": now + 999_999}, "lives_too_long", "exp", "86400"),
        (lambda now: {"iat": now + 600, "exp": now + 700}, "ImmatureSignatureError", "iat", "NTP"),
        (lambda now: {"iat": "hôm nay"}, "InvalidIssuedAtError", "iat", "1970"),
        (lambda now: {"aud": "elsewhere"}, "InvalidAudienceError", "aud", "aud"),
    ],
)
async def test_a_refused_token_says_which_claim_and_what_to_write_there(own_keys, verifier, claims, cause, field, said):
    """In words, in both languages; the claim for programs, too."""
    with pytest.raises(Fault) as refused:
        await verifier.verify(own_keys.token("an", **claims(int(time.time()))))
    fault = refused.value
    assert (fault.reason, fault.metadata) == ("INVALID_TOKEN", {"cause": cause, "field": field})
    for text in (fault.vi, fault.en):
        assert f"`{field}`" in text
        assert said in text


async def test_a_claim_that_is_missing_is_named(own_keys, verifier):
    """A token that does not say since when it holds."""
    key = own_keys.token("an", iat=None)
    with pytest.raises(Fault) as refused:
        await verifier.verify(key)
    assert refused.value.metadata["field"] == "iat"
    assert "thiếu `iat`" in refused.value.vi
