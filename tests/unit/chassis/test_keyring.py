"""Tokens that subjects sign themselves: a key speaks for its subject, in its roles, while it is in force."""

import json

import jwt
import pytest
from google.protobuf.empty_pb2 import Empty

from chassis.access import Rule, decide
from chassis.errors import Fault
from chassis.identity import Caller, Verifier
from chassis.keyring import Keyring, described, narrowing
from chassis.scope_tree import ScopeGrant, ScopeTree, ScopeUnit
from chassis.testing import AUDIENCE, ISSUER, FixedClock, Keys
from tests.support.signing import Signer


def jwk(signer: Signer, *roles: str) -> dict[str, object]:
    """The key as it is published."""
    told: dict[str, object] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(signer.key.public_key()))
    return told | {"kid": signer.kid, "sub": signer.subject, "alg": "ES256", "roles": list(roles or ("visitor",))}


@pytest.fixture
def keyring() -> Keyring:
    """One that follows nothing."""
    return Keyring()


@pytest.fixture
def verifier(tmp_path, keyring):
    """Takes the tokens of an issuer and those of the keyring."""
    return Verifier(jwks=Keys.create(tmp_path, ["toy"]).jwks, issuer=ISSUER, audience=AUDIENCE, keyring=keyring)


async def _reason(verifier, token):
    with pytest.raises(Fault) as refused:
        await verifier.verify(token)
    return refused.value.reason, refused.value.metadata.get("cause", "")


async def test_a_key_speaks_for_its_subject_alone(verifier, keyring):
    """Another's key under one's name is told apart from a key nobody has; neither passes."""
    an, bo = Signer("an", "k1"), Signer("bo", "k2")
    keyring.take(described([jwk(an), jwk(bo)], suspended=[]))
    known = await verifier.verify(an.token())
    assert (known.subject, known.kid, known.roles) == ("an", "k1", frozenset({"visitor"}))
    assert await _reason(verifier, an.token(sub="bo")) == ("INVALID_TOKEN", "subject_of_another_key")
    assert await _reason(verifier, Signer("bo", "k3").token()) == ("INVALID_TOKEN", "unknown_key")
    assert (await _reason(verifier, Signer("bo", "k2").token()))[0] == "INVALID_TOKEN"
    assert (await _reason(verifier, an.token(sub="service:toy")))[0] == "INVALID_TOKEN"


async def test_a_key_that_leaves_the_set_is_refused_though_its_token_was_seen(verifier, keyring):
    """What was verified before is asked for again: withdrawn keys do not live on in a cache."""
    signer = Signer("an", "k1")
    keyring.take(described([jwk(signer)], suspended=[]))
    token = signer.token()
    verified = await verifier.verify(token)
    keyring.take(described([], suspended=[]))
    assert await _reason(verifier, token) == ("INVALID_TOKEN", "unknown_key")
    with pytest.raises(Fault):
        verifier.check(verified)


async def test_who_is_suspended_is_refused_whoever_issued_the_token(tmp_path, keyring):
    """Own tokens and the issuer's, and a service that works for it."""
    keys = Keys.create(tmp_path, ["toy"])
    verifier = Verifier(jwks=keys.jwks, issuer=ISSUER, audience=AUDIENCE, keyring=keyring)
    signer, seen = Signer("an", "k1"), keys.token("an")
    await verifier.verify(seen)
    keyring.take(described([jwk(signer)], suspended=["an"]))
    for token in (signer.token(), seen, keys.identity("toy").token(act="an")):
        assert (await _reason(verifier, token))[0] == "SUBJECT_SUSPENDED"
    assert (await verifier.verify(keys.token("bo"))).subject == "bo"


async def test_a_self_signed_token_lives_five_minutes_at_most(verifier, keyring):
    """However long tokens of the issuer may live."""
    signer = Signer("an", "k1")
    keyring.take(described([jwk(signer)], suspended=[]))
    assert await _reason(verifier, signer.token(seconds=301)) == ("INVALID_TOKEN", "lives_too_long")
    assert (await verifier.verify(signer.token(seconds=300))).subject == "an"


def test_a_set_that_cannot_be_read_changes_nothing(keyring):
    """The present keys stay rather than all being lost."""
    signer = Signer("an", "k1")
    keyring.take(described([jwk(signer)], suspended=[]))
    for text in (b"", b"{}", b'{"keys": [{"kty": "EC"}], "suspended": []}'):
        keyring.take(text)
    assert keyring.find("an", "k1") is not None


@pytest.mark.parametrize("opened", [False, True])
def test_what_any_token_may_ask_is_open_to_a_key_only_where_that_is_said(opened):
    """A token that the subject signed itself proves less than one of the issuer."""
    rule, key = Rule("t.T/M", any_subject=True, self_signed=opened), Caller("an", roles=frozenset({"visitor"}))

    def ask(caller: Caller) -> None:
        decide(rule, caller, Empty(), tree=lambda: ScopeTree([]), day=FixedClock().today())

    ask(Caller("an"))
    if opened:
        ask(key)
        return
    with pytest.raises(Fault) as refused:
        ask(key)
    assert (refused.value.reason, refused.value.metadata["cause"]) == ("NOT_ALLOWED", "self_signed")


def test_a_caller_acts_only_in_the_roles_of_its_key():
    """Whatever else it holds by its grants."""
    tree = ScopeTree([ScopeUnit(1, "house")], [ScopeGrant(1, "an", "owner", 1), ScopeGrant(2, "an", "visitor", 1)])
    day, an = FixedClock().today(), Caller("an", roles=frozenset({"visitor"}))

    def passes(caller: Caller, *roles: str) -> bool:
        try:
            decide(Rule("t.T/M", roles=frozenset(roles)), caller, Empty(), tree=lambda: tree, day=day)
        except Fault as fault:
            return fault.reason != "NO_GRANT"
        return True

    assert passes(an, "owner", "visitor")
    assert not passes(an, "owner")
    assert passes(Caller("an"), "owner")


def test_subjects_are_narrowed_as_was_told_last(keyring):
    """Kinds of one unit that are told apart count together; what cannot be read changes nothing."""
    assert keyring.narrowed("an") is None
    keyring.take_narrowed(narrowing({"an": [({"sweet"}, {1, 2}), ({"sour"}, {2}), (None, {3})], "bo": []}))
    told = {1: frozenset({"sweet"}), 2: frozenset({"sweet", "sour"}), 3: None}
    assert (keyring.narrowed("an"), keyring.narrowed("bo"), keyring.narrowed("chi")) == (told, {}, None)
    keyring.take_narrowed(b"[]")
    assert keyring.narrowed("an") == told
