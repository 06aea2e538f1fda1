"""The fleet table against the services themselves: each is given what it needs, and nothing it does not know."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from chassis.settings import ServiceSettings, load_settings
from deploy.local.issuer import SERVICES as WITH_KEYS
from deploy.local.issuer import Issuer
from deploy.local.settings import FleetSettings, read_settings
from deploy.local.table import SERVICES, Service, Wires, environment

NAMES = [service.name for service in SERVICES]


def settings_class(name: str) -> type[ServiceSettings]:
    """The settings class of a service."""
    found: type[ServiceSettings] = importlib.import_module(f"services.{name}.settings").Settings
    return found


def given(service: Service, folder: Path, settings: FleetSettings | None = None) -> Mapping[str, str]:
    """What the table gives a service."""
    wires = Wires(
        databases={name: f"postgresql://{name}@127.0.0.1/{name}" for name in NAMES},
        nats_url="nats://127.0.0.1:4222",
        addresses={name: f"127.0.0.1:{5000 + place}" for place, name in enumerate(NAMES)},
        issuer=Issuer(folder),
    )
    return environment(
        service,
        wires=wires,
        settings=settings or FleetSettings(),
        listen=wires.addresses[service.name],
        metrics_listen="",
        ready_file=folder / "ready",
    )


@pytest.mark.parametrize("service", SERVICES, ids=NAMES)
def test_a_service_starts_with_what_the_table_gives_it(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No setting is missing and none is unknown, or the service itself would refuse to start."""
    for name, value in given(service, tmp_path).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(settings_class(service.name))
    assert settings.database_url.endswith(f"/{service.name}")
    assert Path(settings.service_key_file).exists()


@pytest.mark.parametrize("service", SERVICES, ids=NAMES)
def test_every_address_a_service_asks_for_is_in_its_row(service: Service, tmp_path: Path) -> None:
    """Also an address with a default is given: else a question would fail only when it is asked."""
    asked = {name for name in settings_class(service.name).model_fields if name.endswith("_address")}
    assert asked == {f"{called}_address" for called in service.calls}


def test_each_service_has_a_key_and_nobody_else() -> None:
    """The issuer's list and the table name the same services."""
    assert sorted(WITH_KEYS) == sorted(NAMES)


def test_a_setting_for_one_service_reaches_it_alone(tmp_path: Path) -> None:
    """IOCEDU_SYNC_DATABASE_URL is sync's database, IOCEDU_LOG_LEVEL everybody's level."""
    settings = read_settings(
        tuple(NAMES), {"IOCEDU_SYNC_DATABASE_URL": "postgresql://elsewhere/sync", "IOCEDU_LOG_LEVEL": "debug"}
    )
    by_name = {service.name: given(service, tmp_path, settings) for service in SERVICES}
    assert by_name["sync"]["IOCEDU_DATABASE_URL"] == "postgresql://elsewhere/sync"
    assert by_name["records"]["IOCEDU_DATABASE_URL"] != by_name["sync"]["IOCEDU_DATABASE_URL"]
    assert {values["IOCEDU_LOG_LEVEL"] for values in by_name.values()} == {"debug"}
    assert [name for name, values in by_name.items() if "IOCEDU_SYNC_DATABASE_URL" in values] == []


def test_traces_of_every_service_go_where_the_fleet_is_told(tmp_path: Path) -> None:
    """One setting sends the whole fleet's traces to one place."""
    settings = read_settings(tuple(NAMES), {"IOCEDU_OTLP_ENDPOINT": "http://127.0.0.1:4317"})
    told = {given(service, tmp_path, settings)["IOCEDU_OTLP_ENDPOINT"] for service in SERVICES}
    assert told == {"http://127.0.0.1:4317"}
