"""`token`: gives a subject a role on a unit, as the administrator and through the gateway, and mints its token.

Refuses to print anything but the token on standard output, so that a shell can take it as it is.
"""

import time
from datetime import timedelta

import httpx
from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import announcements_pb2
from iocedu.records.v1 import units_pb2
from iocedu.reporting.v1 import bases_pb2
from iocedu.sync.v1 import coverage_pb2

from chassis.access import rule_of
from deploy.local.errors import NotStarted
from deploy.local.folder import DataFolder
from deploy.local.issuer import Issuer
from deploy.local.settings import FleetSettings

LONGEST = timedelta(hours=24)  # What services take, too.
KNOWN_LIMIT = 10.0
# A cheap method of each service, by which it is seen that a role has come to it.
ASKED = (
    (units_pb2, "UnitsService/GetUnit", "/v1/units/{unit}"),
    (coverage_pb2, "CoverageService/ListCoverage", "/v1/units/{unit}/coverage?page_size=1"),
    (bases_pb2, "BasesService/ListTargets", "/v1/units/{unit}/targets?page_size=1"),
    (alerts_pb2, "AlertsService/ListAlerts", "/v1/units/{unit}/alerts?page_size=1"),
    (announcements_pb2, "AnnouncementsService/ListAnnouncements", "/v1/units/{unit}/announcements?page_size=1"),
)


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
        wait_until_known(client, minted, role=role, unit=unit)
    return minted


def wait_until_known(client: httpx.Client, minted: str, *, role: str, unit: str) -> None:
    """The grant reaches each service within moments; a token that does not work yet there would only puzzle.

    A service is asked by a method that the role may call; where it may not, there is nothing to wait for.
    """
    end = time.monotonic() + KNOWN_LIMIT
    asked = [
        path.format(unit=unit)
        for module, method, path in ASKED
        if (rule := rule_of(f"{module.DESCRIPTOR.package}.{method}")) and role in rule.roles
    ]
    while asked and time.monotonic() < end:
        answers = {path: client.get(path, headers=_bearer(minted)).status_code for path in asked}
        asked = [path for path, status in answers.items() if status == httpx.codes.FORBIDDEN]
        if asked:
            time.sleep(0.1)


def _bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:300]
