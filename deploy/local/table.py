"""The fleet table: which services there are, whom each calls, and the settings each is given.

The one list that the command line, the tests and the edge read. Refuses to hold what a service can find out by itself.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from deploy.local.ports import LOOPBACK
from deploy.local.settings import CHECKOUT, PREFIX, FleetSettings

DESCRIPTORS = Path(__file__).resolve().parents[2] / "gen" / "descriptors.binpb"


@dataclass(frozen=True)
class Simulator:
    """A stand-in for a system outside, with the account it is given and the settings that lead a service to it."""

    name: str
    user: str = ""
    password: str = ""  # No secret: it opens nothing but made-up data on this machine.
    smtp: bool = False  # Speaks SMTP beside its page; services are led there.

    @property
    def command(self) -> str:
        """The module that `python -m` runs."""
        return f"simulators.{self.name}"

    @property
    def setting(self) -> str:
        """The setting of a service that names the real system, or leads here."""
        return "SMTP_URL" if self.smtp else f"{self.name.upper()}_URL"

    def settings(self, address: str) -> dict[str, str]:
        """Settings of a service, without prefix, that lead it here."""
        key = self.name.upper()
        if self.smtp:
            return {self.setting: f"smtp://{address}"}
        return {self.setting: f"http://{address}", f"{key}_USER": self.user, f"{key}_PASSWORD": self.password}


MINISTRY = Simulator("ministry", user="so48", password="mo-phong")  # noqa: S106  see above
MAILBOX = Simulator("mailbox", smtp=True)
BOUNCE_DOMAIN = "tra-lai.iocedu.invalid"


@dataclass(frozen=True)
class Service:
    """One service of the platform."""

    name: str
    calls: Sequence[str] = ()  # Services whose address it is given as IOCEDU_<NAME>_ADDRESS.
    settings: Mapping[str, str] = field(default_factory=dict)  # Keys only it knows, without prefix.
    module: str = ""  # What `python -m` runs; empty: services.<name>.
    simulators: Sequence[Simulator] = ()  # Stand-ins it is led to, unless settings name the real ones.

    @property
    def command(self) -> str:
        """The module that `python -m` runs."""
        return self.module or f"services.{self.name}"

    @property
    def migrations(self) -> Path | None:
        """The folder of its migrations, if it has any."""
        folder = CHECKOUT.joinpath(*self.command.split("."), "migrations")
        return folder if folder.is_dir() else None


SERVICES: tuple[Service, ...] = (
    Service("records", settings={"REFLECTION_DESCRIPTORS": str(DESCRIPTORS)}),  # For the one public port.
    Service("sync", calls=("records",), simulators=(MINISTRY,)),
    Service("reporting", calls=("records",)),
    Service("alerts"),
    Service("notify", simulators=(MAILBOX,)),
)


@dataclass(frozen=True)
class Wires:
    """What the parts of one fleet are reached by."""

    databases: Mapping[str, str]
    nats_url: str
    addresses: Mapping[str, str]
    issuer: Issuer
    simulators: Mapping[str, str] = field(default_factory=dict)  # Addresses of those that run.
    partner_keys: str = ""  # Where sync shows the edge by which keys partners sign.
    bounces: str = ""  # Where notify takes mails that come back.


def environment(
    service: Service,
    *,
    wires: Wires,
    settings: FleetSettings,
    listen: str,
    metrics_listen: str,
    ready_file: Path,
) -> dict[str, str]:
    """The whole environment of one service: this process's without `IOCEDU_*`, and what the table gives it."""
    given = {
        "DATABASE_URL": wires.databases[service.name],
        "NATS_URL": wires.nats_url,
        "LISTEN": listen,
        "METRICS_LISTEN": metrics_listen,
        "JWKS": str(wires.issuer.jwks),
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "SERVICE_KEY_FILE": str(wires.issuer.service_key(service.name)),
        "READY_FILE": str(ready_file),
        "GRACE_SECONDS": "3",
        **{f"{called.upper()}_ADDRESS": wires.addresses[called] for called in service.calls},
        **({"PUBLIC_URL": f"http://{LOOPBACK}:{settings.port}"} if service.name == "notify" else {}),
        **({"PARTNER_KEYS_LISTEN": wires.partner_keys} if service.name == "sync" and wires.partner_keys else {}),
        **(_returning(wires) if MAILBOX in service.simulators else {}),
        **({"ADMINISTRATORS": settings.administrators} if service.name == "records" else {}),
        **({"OTLP_ENDPOINT": settings.otlp_endpoint} if settings.otlp_endpoint else {}),
        **_led_to(service, wires),
        **service.settings,
        **settings.shared,
        **settings.own.get(service.name, {}),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**inherited, "PYTHONUNBUFFERED": "1", **{PREFIX + name: value for name, value in given.items()}}


def simulators_of(services: Sequence[Service], settings: FleetSettings) -> tuple[Simulator, ...]:
    """The stand-ins a fleet needs: those of its services for which settings do not name the real system."""
    return tuple(
        one
        for service in services
        for one in service.simulators
        if not {one.setting, f"{one.setting}_FILE"} & settings.own.get(service.name, {}).keys()
    )


def _returning(wires: Wires) -> dict[str, str]:
    """Where mails come back to; a real mail server knows no domain that is made up here."""
    if MAILBOX.name not in wires.simulators:
        return {}
    return {"BOUNCE_DOMAIN": BOUNCE_DOMAIN, **({"BOUNCE_LISTEN": wires.bounces} if wires.bounces else {})}


def _led_to(service: Service, wires: Wires) -> dict[str, str]:
    led: dict[str, str] = {}
    for one in service.simulators:
        if address := wires.simulators.get(one.name):
            led |= one.settings(address)
    return led
