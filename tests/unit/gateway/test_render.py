"""The rendered edge routes what the protos open to callers, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from iocedu.chassis.v1 import access_pb2

from chassis.keyring import SELF_SIGNED
from gateway.envoy.__main__ import main
from gateway.envoy.edge import Edge, host_port
from gateway.envoy.render import bootstrap
from gateway.interface import Interface, load

INTERFACE = load()
BACKENDS = {name: f"127.0.0.1:{5000 + index}" for index, name in enumerate(INTERFACE.owners)}


def _edge(**changes: Any) -> Edge:
    return Edge(
        **({"listen": "127.0.0.1:0", "backends": BACKENDS, "jwks": "/keys.json", "issuer": "https://i"} | changes)
    )


def _manager(config: dict[str, Any]) -> dict[str, Any]:
    listener = config["static_resources"]["listeners"][0]
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def _routes(config: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _manager(config)["route_config"]["virtual_hosts"][0]["routes"]
    return found


def _to_services(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {route["match"]["path"]: route for route in _routes(config) if "route" in route and "path" in route["match"]}


def _http_filter(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each["typed_config"] for each in _manager(config)["http_filters"] if each["name"].endswith(f".{name}"))


def _all_methods() -> Iterator[tuple[str, access_pb2.Access]]:
    for file in INTERFACE.files.file:
        if not file.package.startswith("iocedu."):
            continue
        for service in file.service:
            for method in service.method:
                options = method.options
                yield f"/{file.package}.{service.name}/{method.name}", options.Extensions[access_pb2.access]


def test_every_method_open_to_people_or_partners_has_a_route_to_its_owner() -> None:
    """A method that a role or any subject may call is reachable, at the service whose package it is in."""
    found = _to_services(bootstrap(_edge()))
    opened = {path for path, access in _all_methods() if access.roles or access.any_subject}
    opened = {path for path in opened if not path.startswith("/iocedu.chassis.")}
    assert len(opened) >= 25
    assert {path for path in found if path.startswith("/iocedu.")} == opened
    assert all(found[path]["route"]["cluster"] == path.split(".")[1] for path in opened)


@pytest.mark.parametrize(
    "path",
    [
        "/iocedu.records.v1.RecordsService/ApplyRows",
        "/iocedu.chassis.v1.OperationsService/ListDeadLetters",
        "/iocedu.chassis.v1.OperationsService/ReplayDeadLetters",
    ],
)
def test_a_method_for_services_or_operators_only_has_no_route(path: str) -> None:
    """What only services call, and what operators call on a service's own port, cannot be called from outside."""
    assert path in {path for path, _ in _all_methods()}
    config = bootstrap(_edge())
    assert path not in _to_services(config)
    assert not any(path.startswith(route["match"].get("prefix", "-")) for route in _routes(config) if "route" in route)


def test_the_last_rule_demands_a_token() -> None:
    """Whatever is not exempt by name needs a valid token, what will be added tomorrow too."""
    rules = _http_filter(bootstrap(_edge()), "jwt_authn")["rules"]
    assert rules[-1] == {"match": {"prefix": "/"}, "requires": {"provider_name": "iocedu"}}
    exempt = [rule["match"] for rule in rules[:-1]]
    assert all("requires" not in rule for rule in rules[:-1])
    assert {"path": "/"} in exempt
    assert {"path": "/openapi.json"} in exempt
    assert not any(match.get("path", match.get("prefix", "")).startswith("/v1") for match in exempt)
    assert {match["prefix"] for match in exempt if "prefix" in match} == {
        "/grpc.reflection.v1.ServerReflection/",
        "/grpc.reflection.v1alpha.ServerReflection/",
    }


def test_without_reflection_nothing_of_it_is_exempt_or_routed() -> None:
    """A closed centre describes itself to nobody without a token."""
    config = bootstrap(_edge(reflection=""))
    assert "reflection" not in json.dumps(_http_filter(config, "jwt_authn")["rules"])
    assert not any("prefix" in route["match"] and "route" in route for route in _routes(config))


def test_only_plain_questions_are_asked_twice() -> None:
    """A retry can repeat nothing that changes something: GET, and no stream."""
    retried = {path for path, route in _to_services(bootstrap(_edge())).items() if "retry_policy" in route["route"]}
    assert retried == {method.grpc_path for method in INTERFACE.public if method.rest and method.idempotent}
    assert "/iocedu.reporting.v1.ReportingService/QueryIndicators" in retried
    assert "/iocedu.sync.v1.SyncService/PushRows" not in retried
    assert "/iocedu.alerts.v1.AlertsService/WatchAlerts" not in retried


def test_streams_have_no_deadline_but_an_idle_limit() -> None:
    """A watcher may stay for hours as long as heartbeats come; a unary call ends."""
    found = _to_services(bootstrap(_edge()))
    watch = found["/iocedu.reporting.v1.ReportingService/WatchIndicators"]["route"]
    assert watch["timeout"] == "0s"
    assert watch["idle_timeout"] == "120s"
    assert found["/iocedu.reporting.v1.ReportingService/QueryIndicators"]["route"]["timeout"] == "30s"


def test_a_service_token_from_outside_is_taken_off() -> None:
    """Nobody outside can present himself as one of the services."""
    assert "x-iocedu-service" in _manager(bootstrap(_edge()))["route_config"]["request_headers_to_remove"]


def test_a_missing_backend_is_refused_by_name() -> None:
    """An edge that could not reach a service is not rendered."""
    with pytest.raises(ValueError, match="no address given for sync"):
        bootstrap(_edge(backends={name: address for name, address in BACKENDS.items() if name != "sync"}))


def test_a_name_is_resolved_and_an_address_is_not() -> None:
    """In a cluster a headless name gives every pod in turn; locally addresses stand as they are."""
    config = bootstrap(
        _edge(backends=BACKENDS | {"sync": "sync.iocedu.svc:50051", "notify": "127.0.0.1:1,127.0.0.1:2"})
    )
    clusters = {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}
    assert clusters["sync"]["type"] == "STRICT_DNS"
    assert clusters["records"]["type"] == "STATIC"
    assert len(clusters["notify"]["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 2


def test_keys_by_url_are_fetched() -> None:
    """An identity provider's key set is read from its address, over TLS with its name checked."""
    config = bootstrap(_edge(jwks="https://id.example.vn/keys"))
    provider = _http_filter(config, "jwt_authn")["providers"]["iocedu"]
    assert provider["remote_jwks"]["http_uri"]["uri"] == "https://id.example.vn/keys"
    cluster = next(each for each in config["static_resources"]["clusters"] if each["name"] == "jwks")
    assert cluster["transport_socket"]["typed_config"]["sni"] == "id.example.vn"


def test_traces_are_sent_only_where_an_address_is_given() -> None:
    """Without a collector no span is made."""
    assert "tracing" not in _manager(bootstrap(_edge()))
    traced = bootstrap(_edge(otlp="127.0.0.1:4317"))
    assert _manager(traced)["tracing"]["provider"]["name"] == "envoy.tracers.opentelemetry"
    assert "otlp" in {cluster["name"] for cluster in traced["static_resources"]["clusters"]}


def test_the_access_log_holds_no_query() -> None:
    """A name that was searched for does not end up in a log."""
    line = _manager(bootstrap(_edge()))["access_log"][0]["typed_config"]["log_format"]["json_format"]
    assert line["path"].startswith("%PATH(NQ:")
    assert "REQ(:PATH)" not in json.dumps(line)


def test_one_gateway_holds_its_port_alone() -> None:
    """Two gateways cannot share a port in silence."""
    assert bootstrap(_edge())["static_resources"]["listeners"][0]["enable_reuse_port"] is False


def test_an_interface_without_options_opens_nothing() -> None:
    """No option, no call: a method without the access option is not public."""
    bare = Interface(INTERFACE.stripped())
    for file in bare.files.file:
        for service in file.service:
            for method in service.method:
                method.options.ClearExtension(access_pb2.access)
    assert Interface(bare.files.SerializeToString()).public == ()


@pytest.mark.parametrize("text", ["8080", "host:", ":80", "host:http"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """An address is host and port, both."""
    with pytest.raises(ValueError, match="host:port"):
        host_port(text)


def test_the_command_writes_what_the_renderer_gives(tmp_path: Path) -> None:
    """Manifests carry the very file that the local fleet runs with."""
    backends = [part for name, address in BACKENDS.items() for part in ("--backend", f"{name}={address}")]
    given = ["--jwks", "/keys.json", "--issuer", "https://i", "--listen", "127.0.0.1:0", "--folder", str(tmp_path)]
    assert main([*given, *backends]) == 0
    written = json.loads((tmp_path / "envoy.json").read_text("utf-8"))
    assert written == bootstrap(_edge(console=tmp_path / "console"))
    assert (tmp_path / "console" / "index.html").is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metrics": "127.0.0.1:9464"}, "administration page"),
        ({"certificate": "/tls/tls.crt"}, "go together"),
        ({"reflection": "nobody"}, "answered by nobody"),
    ],
)
def test_half_told_options_are_refused(given: dict[str, Any], said: str) -> None:
    """What cannot work is said when it is rendered, not when Envoy starts."""
    with pytest.raises(ValueError, match=said):
        bootstrap(_edge(**given))


def test_metrics_have_a_page_of_their_own() -> None:
    """Whoever scrapes cannot reach the page that can stop Envoy."""
    config = bootstrap(_edge(admin="127.0.0.1:9901", metrics="0.0.0.0:9464"))
    listener = config["static_resources"]["listeners"][1]
    routes = listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]
    assert [route["match"] for route in routes] == [{"path": "/metrics"}]
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_the_command_names_what_is_missing_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing service is one clear line and a failure."""
    assert main(["--jwks", "/keys.json", "--issuer", "https://i", "--backend", "sync=h:1"]) == 2
    assert capsys.readouterr().err == "gateway: no address given for alerts, notify, records, reporting\n"


def test_keys_of_partners_are_a_provider_of_their_own_that_is_fetched_often_and_cached_by_nobody() -> None:
    """Either provider suffices; a withdrawn key is gone within seconds, and no cache of tokens outlives it."""
    config = bootstrap(_edge(partner_jwks="http://sync:9480/jwks.json"))
    tokens = _http_filter(config, "jwt_authn")
    partners = tokens["providers"]["partners"]
    assert partners["issuer"] == SELF_SIGNED
    assert "jwt_cache_config" not in partners
    assert partners["remote_jwks"]["http_uri"]["uri"] == "http://sync:9480/jwks.json"
    assert int(partners["remote_jwks"]["cache_duration"].removesuffix("s")) <= 7
    required = tokens["rules"][-1]["requires"]["requires_any"]["requirements"]
    assert [one["provider_name"] for one in required] == ["iocedu", "partners"]
    names = {cluster["name"] for cluster in config["static_resources"]["clusters"]}
    assert "partner_jwks" in names
    alone = _http_filter(bootstrap(_edge()), "jwt_authn")
    assert alone["rules"][-1]["requires"] == {"provider_name": "iocedu"}
