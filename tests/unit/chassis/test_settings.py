"""Settings: complete or one clear line."""

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from chassis.settings import DatabaseSettings, ServiceSettings, SettingsError, load_settings


class ToySettings(ServiceSettings):
    """A service with one setting of its own."""

    friend_address: str = Field(description="Where the friend is.")


GOOD = {
    "IOCEDU_DATABASE_URL": "postgresql://toy:secret@127.0.0.1:5432/toy",
    "IOCEDU_NATS_URL": "nats://127.0.0.1:4222",
    "IOCEDU_JWKS": "/keys/jwks.json",
    "IOCEDU_ISSUER": "https://issuer.test",
    "IOCEDU_SERVICE_KEY_FILE": "/keys/toy.pem",
    "IOCEDU_FRIEND_ADDRESS": "friend:50051",
}


@pytest.fixture
def environment(monkeypatch):
    """Sets variables; None takes one away."""

    def put(**changes):
        for name, value in (GOOD | changes).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return put


def test_settings_come_from_the_environment(environment):
    """A service's own settings beside the common ones, with their defaults."""
    environment()
    settings = load_settings(ToySettings)
    assert settings.friend_address == "friend:50051"
    assert settings.database_url == GOOD["IOCEDU_DATABASE_URL"]
    assert (settings.listen, settings.audience, settings.ready_file) == ("127.0.0.1:0", "iocedu", None)


def test_an_unknown_variable_is_refused_with_the_likely_name(environment):
    """A typing error does not silently fall back to a default."""
    environment(IOCEDU_FRIEND_ADRESS="x")
    with pytest.raises(SettingsError) as refused:
        load_settings(ToySettings)
    assert str(refused.value) == (
        "IOCEDU_FRIEND_ADRESS is not a setting of this service (did you mean IOCEDU_FRIEND_ADDRESS?)"
    )


def test_every_missing_setting_is_named_in_one_line(environment):
    """An operator mends them all at once."""
    environment(IOCEDU_ISSUER=None, IOCEDU_FRIEND_ADDRESS=None)
    with pytest.raises(SettingsError) as refused:
        load_settings(ToySettings)
    assert str(refused.value) == "IOCEDU_ISSUER is missing; IOCEDU_FRIEND_ADDRESS is missing"


def test_a_wrong_value_is_named_with_its_variable(environment):
    """The line says which variable and why."""
    environment(IOCEDU_TRACE_RATIO="2")
    with pytest.raises(SettingsError, match="IOCEDU_TRACE_RATIO: Input should be less than or equal to 1"):
        load_settings(ToySettings)


def test_the_database_url_may_lie_in_a_file(environment, tmp_path):
    """As Kubernetes mounts secrets."""
    (tmp_path / "url").write_text("postgresql://toy:hidden@db/toy\n")
    environment(IOCEDU_DATABASE_URL=None, IOCEDU_DATABASE_URL_FILE=str(tmp_path / "url"))
    assert load_settings(ToySettings).database_url == "postgresql://toy:hidden@db/toy"


def test_a_secret_file_that_is_not_there_is_named(environment, tmp_path):
    """Not a traceback."""
    environment(IOCEDU_DATABASE_URL=None, IOCEDU_DATABASE_URL_FILE=str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"IOCEDU_DATABASE_URL_FILE: cannot read .*none: No such file"):
        load_settings(ToySettings)


def test_without_any_database_url_both_ways_are_named(environment):
    """The line says what to set."""
    environment(IOCEDU_DATABASE_URL=None)
    with pytest.raises(SettingsError, match=r"IOCEDU_DATABASE_URL \(or IOCEDU_DATABASE_URL_FILE\) is missing"):
        load_settings(ToySettings)


def test_a_command_that_touches_only_the_database_needs_nothing_else(environment):
    """A migration runs with one secret, and also in the whole environment of its service."""
    environment(IOCEDU_NATS_URL=None, IOCEDU_JWKS=None, IOCEDU_ISSUER=None, IOCEDU_SERVICE_KEY_FILE=None)

    assert load_settings(DatabaseSettings, tolerated=ToySettings).database_url == GOOD["IOCEDU_DATABASE_URL"]


def test_settings_are_frozen_and_hide_the_database_password(environment):
    """They can be logged, and nobody changes them on the way."""
    environment()
    settings = load_settings(ToySettings)
    assert "secret" not in repr(settings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.listen = "0.0.0.0:1"


def test_every_setting_says_what_it_is_for():
    """The settings reference is made of these lines."""
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []
    assert ServiceSettings.model_fields["service_key_file"].annotation is Path
