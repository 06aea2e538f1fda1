"""What the edge is told: where it listens, who stands behind it, whose tokens it takes, what it allows."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.interface import DESCRIPTORS

CONSOLE = Path(__file__).resolve().parent.parent / "console"

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one caller may ask of the edge. Times are seconds."""

    request_bytes: int = 16 * MEGABYTE
    requests_per_second: int = 10_000
    request_burst: int = 20_000
    connections: int = 20_000
    unary_seconds: int = 30
    stream_idle_seconds: int = 120


@dataclass(frozen=True)
class Edge:
    """One gateway. Addresses are `host:port`, several copies of a service separated by commas; a host that is a name is
    resolved, and all its addresses are used in turn.
    """

    listen: str
    backends: Mapping[str, str]
    jwks: str  # path of a file, or an http(s) URL
    issuer: str
    audience: str = "iocedu"
    partner_jwks: str = ""  # http(s) URL of the keys by which partners sign their own tokens; empty: none do
    certificate: str = ""  # PEM file; with it the public port speaks TLS
    private_key: str = ""
    admin: str = ""
    metrics: str = ""  # where `/metrics` is answered; needs `admin`
    otlp: str = ""
    trace_ratio: float = 1.0
    access_log: str = "/dev/stdout"
    reflection: str = "records"  # the service whose reflection knows every public descriptor; empty: none
    home_unit: str = ""  # the unit the console opens with, for who may see every unit
    trusted_proxies: int = 0  # proxies of ours in front, which X-Forwarded-For is believed from
    console: Path = CONSOLE
    descriptors: Path = DESCRIPTORS
    limits: Limits = field(default_factory=Limits)


def host_port(address: str) -> tuple[str, int]:
    """Split `host:port`, `[::1]:port` included."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def is_name(host: str) -> bool:
    """Whether a host has to be resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
