"""`token`: gives a subject a role on a unit, as the administrator and through the gateway, and mints its token.

Refuses to print anything but the token on standard output, so that a shell can take it as it is.
"""

import time
from datetime import timedelta

import httpx

from deploy.local.errors import NotStarted
from deploy.local.folder import DataFolder
from deploy.local.issuer import Issuer
from deploy.local.settings import FleetSettings

LONGEST = timedelta(hours=24)  # What services take, too.
KNOWN_LIMIT = 10.0


def token(settings: FleetSettings, *, role: str, unit: str, subject: str | None, lifetime: timedelta) -> str:
    """A token of `subject` after it was given `role` on `unit`. NotStarted says why there is none."""
    if not timedelta() < lifetime <= LONGEST:
        raise NotStarted("a token lives at most 24 hours: choose another --hours")
    folder = DataFolder(settings.data)
    state = folder.state()
    if not folder.locked or state.get("phase") != "running":
        raise NotStarted(f"no fleet runs in {settings.data}: start it with make up")
    issuer = Issuer(folder.keys)
    if role == "administrator" and not unit:
        return issuer.mint(subject or settings.administrator, lifetime=lifetime)
    if not unit:
        raise NotStarted("--unit is missing: name one as in --unit gso:48 or --unit moet:<code>")
    who = subject or f"{role}-{unit.replace(':', '-')}"
    minted = issuer.mint(who, lifetime=lifetime)
    administrator = issuer.mint(settings.administrator, lifetime=timedelta(minutes=5))
    with httpx.Client(base_url=f"http://{state['gateway']}", timeout=20, trust_env=False) as client:
        answer = client.post(
            "/v1/grants", json={"subject": who, "role": role, "unit": unit}, headers=_bearer(administrator)
        )
        if answer.status_code != httpx.codes.OK:
            raise NotStarted(f"the grant was refused ({answer.status_code}): {_reason(answer)}")
        _wait_until_known(client, minted, role)
    return minted


def _wait_until_known(client: httpx.Client, minted: str, role: str) -> None:
    """The grant reaches every service within moments; a token that does not work yet would only puzzle."""
    end = time.monotonic() + KNOWN_LIMIT
    while time.monotonic() < end:
        answer = client.get("/v1/me/grants", headers=_bearer(minted))
        if answer.status_code == httpx.codes.OK and f'"{role}"' in answer.text:
            return
        time.sleep(0.1)


def _bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:300]
