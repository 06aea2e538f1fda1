"""A partner's own key pair, and the tokens it signs."""

import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from chassis.keyring import SELF_SIGNED


@dataclass(frozen=True)
class Signer:
    """One key of one partner."""

    subject: str
    kid: str
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    algorithm: str = "ES256"

    @property
    def public(self) -> str:
        """The public key as PEM."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()  # type: ignore[no-any-return]

    @property
    def private(self) -> str:
        """The private key as PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # type: ignore[no-any-return]

    def token(self, *, seconds: int = 120, **claims: Any) -> str:
        """A token; `claims` take the place of the usual ones."""
        now = int(time.time())
        body = {"iss": SELF_SIGNED, "sub": self.subject, "aud": "iocedu", "iat": now, "exp": now + seconds} | claims
        return jwt.encode(body, self.key, algorithm=self.algorithm, headers={"kid": self.kid})
