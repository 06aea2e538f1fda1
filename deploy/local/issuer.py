"""The local issuer: an ES256 key that signs people's tokens, one key per service, and the JWKS that verifies both.

Made once in a folder and kept there, readable by its owner alone. Refuses to stand for a real identity provider: it
mints for whoever can read the folder.
"""

import json
import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.identity import public_jwk

ISSUER = "https://issuer.iocedu.local"
AUDIENCE = "iocedu"
KEY_ID = "local"
SERVICES = ("records", "sync", "reporting", "alerts", "notify")


class Issuer:
    """The keys in one folder: `issuer.pem`, `<service>.pem` and `jwks.json`."""

    def __init__(self, folder: Path, *, services: Sequence[str] = SERVICES) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = _key(self.folder / "issuer.pem")
        keys = [public_jwk(self._key, kid=KEY_ID, service=False)]
        keys += [public_jwk(_key(self.service_key(name)), kid=name, service=True) for name in services]
        text = json.dumps({"keys": keys}, indent=1) + "\n"
        # Rewritten only when it differs: services read it again whenever it changes.
        if not self.jwks.exists() or self.jwks.read_text("ascii") != text:
            _write(self.jwks, text)

    @property
    def jwks(self) -> Path:
        """The public keys."""
        return self.folder / "jwks.json"

    def service_key(self, service: str) -> Path:
        """The private key a service proves itself with."""
        return self.folder / f"{service}.pem"

    def mint(self, subject: str, *, lifetime: timedelta = timedelta(hours=12), **claims: Any) -> str:
        """A token that says who; what the subject may is decided by its grants. `claims` are added as they are."""
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            **claims,
        }
        return jwt.encode(payload, self._key, algorithm="ES256", headers={"kid": KEY_ID})


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in `path`, made when there is none yet."""
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(path, pem.decode("ascii"))
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds no ES256 key")
    return key


def _write(path: Path, text: str) -> None:
    """Written whole or not at all, so that an interrupted first start leaves no half key."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    draft.replace(path)
