"""What every service is told from outside, read from `IOCEDU_*`. Refuses unknown variables and half-told settings."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "IOCEDU_"


class SettingsError(Exception):
    """The process was started with settings it cannot run with; the message is one line for an operator."""


class DatabaseSettings(BaseSettings):
    """What a command needs that touches only the database, such as `migrate`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: str = Field(
        default="", repr=False, description="PostgreSQL of this service: postgresql://user:password@host:port/database."
    )
    database_url_file: Path | None = Field(
        default=None, description="File that holds `database_url`, as secrets are mounted."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("database_url_file") and not values.get("database_url"):
            path = Path(values["database_url_file"])
            try:
                values = values | {"database_url": path.read_text(encoding="utf-8").strip()}
            except OSError as error:
                raise ValueError(f"{PREFIX}DATABASE_URL_FILE: cannot read {path}: {error.strerror}") from error
        return values

    @model_validator(mode="after")
    def _needs_a_database(self) -> Self:
        if not self.database_url:
            raise ValueError(f"{PREFIX}DATABASE_URL (or {PREFIX}DATABASE_URL_FILE) is missing")
        return self


class ServiceSettings(DatabaseSettings):
    """Settings that all services share. A service extends this class with its own."""

    database_connections: int = Field(
        default=20, ge=2, description="Most connections to PostgreSQL at once; half of them are kept open."
    )
    nats_url: str = Field(description="NATS with JetStream: nats://host:port; several separated by commas.")
    nats_replicas: int = Field(
        default=1,
        ge=1,
        le=5,
        description="In how many copies NATS keeps streams, buckets and files; at most as many as it has servers.",
    )
    listen: str = Field(default="127.0.0.1:0", description="host:port to serve gRPC on; port 0 takes a free one.")
    metrics_listen: str = Field(default="", description="host:port of the Prometheus text page; empty: none.")
    jwks: str = Field(description="File path or URL of the public keys that tokens are verified with.")
    issuer: str = Field(description="The `iss` a token must carry.")
    audience: str = Field(default="iocedu", description="The `aud` a token must carry.")
    longest_token_seconds: int = Field(
        default=86_400, ge=60, description="Tokens that live longer than this, from `iat` to `exp`, are refused."
    )
    service_key_file: Path = Field(
        description="PEM of this service's ES256 private key; its public half is in the JWKS."
    )
    otlp_endpoint: str = Field(default="", description="OTLP gRPC endpoint traces are sent to; empty: none.")
    trace_ratio: float = Field(default=1.0, ge=0, le=1, description="Share of new traces that is recorded.")
    log_level: str = Field(default="info", description="Lowest level that is logged: debug, info, warning or error.")
    reflection: bool = Field(default=True, description="Whether the server describes its methods by gRPC reflection.")
    reflection_descriptors: Path | None = Field(
        default=None,
        description="Descriptor set of all services, where this one answers the gateway's reflection; else its own.",
    )
    ready_file: Path | None = Field(default=None, description="File to write `host:port` to once the service is ready.")
    dead_letters_kept_days: int = Field(
        default=90, ge=1, description="How long events a consumer gave up, which hold personal data, are kept."
    )
    grace_seconds: float = Field(
        default=5.0, gt=0, description="How long calls under way may take when the process stops."
    )


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
LoadedT = TypeVar("LoadedT", bound=DatabaseSettings)


def load_settings(
    settings_type: type[LoadedT],
    environment: Mapping[str, str] | None = None,
    *,
    tolerated: type[DatabaseSettings] | None = None,
) -> LoadedT:
    """Read the settings of a service; raises `SettingsError` with one line that names each wrong variable.

    Variables of `tolerated` may be there and are not read: a command is run in the environment of its service.
    """
    environment = os.environ if environment is None else environment
    names = {*settings_type.model_fields, *(tolerated.model_fields if tolerated else ())}
    known = {f"{PREFIX}{name}".upper() for name in names}
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(
            "; ".join(f"{name} is not a setting of this service{_hint(name, known)}" for name in unknown)
        )
    try:
        return settings_type()
    except ValidationError as error:
        raise SettingsError("; ".join(_line(dict(item)) for item in error.errors())) from error


def _hint(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name.upper(), sorted(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _line(item: dict[str, Any]) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    name = f"{PREFIX}{'.'.join(str(part) for part in item['loc'])}".upper()
    return f"{name} is missing" if item["type"] == "missing" else f"{name}: {message}"
