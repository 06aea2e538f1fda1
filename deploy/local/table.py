"""The fleet table: which services there are, whom each calls, and the settings each is given.

The one list that the command line, the tests and the edge read. Refuses to hold what a service can find out by itself.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from deploy.local.settings import CHECKOUT, PREFIX, FleetSettings

DESCRIPTORS = Path(__file__).resolve().parents[2] / "gen" / "descriptors.binpb"


@dataclass(frozen=True)
class Service:
    """One service of the platform."""

    name: str
    calls: Sequence[str] = ()  # Services whose address it is given as IOCEDU_<NAME>_ADDRESS.
    settings: Mapping[str, str] = field(default_factory=dict)  # Keys only it knows, without prefix.
    module: str = ""  # What `python -m` runs; empty: services.<name>.

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
    Service("sync", calls=("records",)),
    Service("reporting", calls=("records",)),
    Service("alerts"),
    Service("notify"),
)


@dataclass(frozen=True)
class Wires:
    """What the parts of one fleet are reached by."""

    databases: Mapping[str, str]
    nats_url: str
    addresses: Mapping[str, str]
    issuer: Issuer


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
        **({"ADMINISTRATORS": settings.administrators} if service.name == "records" else {}),
        **({"OTLP_ENDPOINT": settings.otlp_endpoint} if settings.otlp_endpoint else {}),
        **service.settings,
        **settings.shared,
        **settings.own.get(service.name, {}),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**inherited, "PYTHONUNBUFFERED": "1", **{PREFIX + name: value for name, value in given.items()}}
