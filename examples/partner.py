"""A vendor's client: makes a key, signs its own tokens of five minutes with it, and pushes for its schools.

    python -m examples.partner make-key partner.pem     # keeps the private key there, prints the public one
    python -m examples.partner push --partner edusoft --kid k1 --key partner.pem --unit moet:49506001 rows.ndjson

The public key is registered once by the department or, as the next one, by the partner itself: docs/partners.md.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from examples.school_system import PushRefusedError, SchoolSystem

ISSUER = "iocedu:self-signed"
AUDIENCE = "iocedu"
LIFETIME = 300  # The centre takes no longer ones.
SPARE = 30  # A token that ends sooner than this is not sent any more.


class OwnTokens:
    """Gives a token that this partner has signed; a new one shortly before the last one ends."""

    def __init__(self, partner: str, kid: str, key: Path) -> None:
        self._partner = partner
        self._kid = kid
        self._key = serialization.load_pem_private_key(key.read_bytes(), password=None)
        self._algorithm = "ES256" if isinstance(self._key, ec.EllipticCurvePrivateKey) else "RS256"
        self._token, self._until = "", 0.0

    def __call__(self) -> str:
        """A token that is good for half a minute at least."""
        now = time.time()
        if self._until - SPARE <= now:
            claims = {"iss": ISSUER, "sub": self._partner, "aud": AUDIENCE, "iat": int(now), "exp": int(now) + LIFETIME}
            key = self._key
            self._token = jwt.encode(claims, key, algorithm=self._algorithm, headers={"kid": self._kid})  # type: ignore[arg-type]  # EC or RSA
            self._until = now + LIFETIME
        return self._token


def make_key(path: Path) -> str:
    """Make a key pair: the private one into a file that only its owner reads; returns the public one as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


def main() -> int:
    """Make a key or push one file; exit status 1 when rows were not stored, 2 when nothing was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make-key", help="make a key pair")
    making.add_argument("key", type=Path, help="file for the private key; must not exist")
    pushing = commands.add_parser("push", help="push a file of NDJSON")
    pushing.add_argument("file", type=Path)
    pushing.add_argument("--gateway", default=f"127.0.0.1:{os.environ.get('IOCEDU_PORT', '8080')}")
    pushing.add_argument("--partner", required=True, help="id of the partner")
    pushing.add_argument("--kid", required=True, help="id of the key")
    pushing.add_argument("--key", required=True, type=Path, help="file of the private key")
    pushing.add_argument("--unit", required=True, help="the school, for example moet:49506001")
    pushing.add_argument("--profile", default="moet", help="names of the fields: moet or iocedu")
    options = parser.parse_args()
    try:
        if options.command == "make-key":
            print(make_key(options.key), end="")
            return 0
        tokens = OwnTokens(options.partner, options.kid, options.key)
        content = options.file.read_bytes()
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    system = SchoolSystem(options.gateway, tokens, source=options.partner, profile=options.profile)
    try:
        outcome = system.push_document(options.unit, content)
    except PushRefusedError as refusal:
        print(f"{refusal.reason}: {refusal}", file=sys.stderr)
        return 2
    except httpx.TransportError as error:
        print(f"{options.gateway} does not answer ({error}); name another with --gateway", file=sys.stderr)
        return 2
    finally:
        system.close()
    print(f"{outcome.accepted} accepted, {outcome.unchanged} unchanged, {outcome.stale} stale, ", end="")
    print(f"{outcome.rejected} rejected, {outcome.held} held")
    for problem in outcome.problems:
        print(f"  {problem.key} {problem.reason} {problem.field}: {problem.message}")
    return 1 if outcome.rejected or outcome.held else 0


if __name__ == "__main__":
    sys.exit(main())
