"""Public keys as partners send them, PEM or JWK, made into JWKs. Refuses private keys and those that are too weak."""

import json
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.sync.domain.partners import INTEGRATOR, PartnerKey

LEAST_BITS: Final = 2048
MOST_BITS: Final = 4096


class KeyRefusedError(Exception):
    """What was sent is no key that can be taken."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def jwk_of(text: str) -> dict[str, Any]:
    """The public key as a JWK with its algorithm; raises KeyRefusedError."""
    if "PRIVATE KEY" in text:
        raise KeyRefusedError("private_key")
    key = _from_jwk(text) if text.lstrip().startswith("{") else _from_pem(text)
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyRefusedError("other_curve")
        return json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key)) | {"alg": "ES256", "use": "sig"}  # type: ignore[no-any-return]
    if isinstance(key, rsa.RSAPublicKey):
        if not LEAST_BITS <= key.key_size <= MOST_BITS:
            raise KeyRefusedError("key_size")
        told: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key))
        return {"kty": "RSA", "n": told["n"], "e": told["e"], "alg": "RS256", "use": "sig"}
    raise KeyRefusedError("other_kind")


def published(key: PartnerKey) -> dict[str, Any]:
    """A key as all services are told of it, bound to its partner and to the one role it may act in."""
    return key.jwk | {"kid": key.kid, "sub": key.partner_id, "roles": [INTEGRATOR]}


def shown(key: PartnerKey) -> dict[str, Any]:
    """A key as the edge and everybody may see it."""
    return key.jwk | {"kid": key.kid}


def _from_pem(text: str) -> Any:
    try:
        return load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefusedError("unreadable") from None


def _from_jwk(text: str) -> Any:
    try:
        told = json.loads(text)
        if {"d", "p", "q", "k"} & told.keys():
            raise KeyRefusedError("private_key")
        return jwt.PyJWK(told, algorithm={"EC": "ES256", "RSA": "RS256"}.get(told.get("kty", ""))).key
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError):
        raise KeyRefusedError("unreadable") from None
