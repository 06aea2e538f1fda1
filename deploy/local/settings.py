"""What the local fleet is told from outside, read from `IOCEDU_*`. Refuses values it cannot use, naming the variable.

Three kinds of variables: the fleet's own (below); those every service shares, passed to all (`IOCEDU_LOG_LEVEL`); and
`IOCEDU_<SERVICE>_<KEY>`, passed to that service alone as `IOCEDU_<KEY>`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import NotStarted

CHECKOUT = Path(__file__).absolute().parents[2]
PREFIX = "IOCEDU_"
OWN = ("DATA", "PORT", "HOME_UNIT", "ADMINISTRATORS", "POSTGRES_URL", "NATS_URL", "OTLP_ENDPOINT")
SHARED = ("LOG_LEVEL", "TRACE_RATIO")
BINARIES = ("POSTGRES_BIN", "NATS_BIN", "ENVOY_BIN")


@dataclass(frozen=True)
class FleetSettings:
    """One place on this machine: a data folder, a public port, and which servers are one's own."""

    data: Path = CHECKOUT / ".iocedu"
    port: int = 8080  # The public port: REST, gRPC and the console.
    home_unit: str = "gso:48"  # The unit the console opens with for whoever may see all.
    administrators: str = "admin"  # Subjects that hold every unit, separated by commas.
    otlp_endpoint: str = ""  # Where traces go; empty: nowhere.
    postgres_url: str = ""  # One's own PostgreSQL, whose user may create roles and databases; empty: the embedded one.
    nats_url: str = ""  # One's own NATS with JetStream; empty: the embedded one.
    shared: Mapping[str, str] = field(default_factory=dict)  # For every service, without prefix.
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # For one service, without prefix.

    @property
    def administrator(self) -> str:
        """The first administrator: whom the fleet itself acts for."""
        return self.administrators.split(",")[0].strip()


def read_settings(services: tuple[str, ...], environment: Mapping[str, str] | None = None) -> FleetSettings:
    """Read the settings for a fleet of these services; NotStarted names the variable that is wrong."""
    values = {
        name.removeprefix(PREFIX): value
        for name, value in (os.environ if environment is None else environment).items()
        if name.startswith(PREFIX) and value
    }
    own: dict[str, dict[str, str]] = {service: {} for service in services}
    unknown: list[str] = []
    fleet = {*OWN, *SHARED, *BINARIES}
    for name, value in values.items():
        service = next((service for service in services if name.startswith(f"{service.upper()}_")), None)
        if name in fleet:
            continue
        if service is None:
            unknown.append(PREFIX + name)
        else:
            own[service][name.removeprefix(f"{service.upper()}_")] = value
    if unknown:
        raise NotStarted(
            f"{', '.join(sorted(unknown))}: no such setting; the fleet knows "
            f"{', '.join(PREFIX + name for name in sorted(fleet))} and {PREFIX}<SERVICE>_<KEY>"
        )
    return FleetSettings(
        data=Path(values.get("DATA", CHECKOUT / ".iocedu")).expanduser().absolute(),
        port=_port(values.get("PORT", "8080")),
        home_unit=values.get("HOME_UNIT", "gso:48"),
        administrators=values.get("ADMINISTRATORS", "admin"),
        otlp_endpoint=values.get("OTLP_ENDPOINT", ""),
        postgres_url=values.get("POSTGRES_URL", ""),
        nats_url=values.get("NATS_URL", ""),
        shared={name: values[name] for name in SHARED if name in values},
        own=own,
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise NotStarted(f"{PREFIX}PORT={text} is no port: give a number from 1 to 65535")
    return int(text)
