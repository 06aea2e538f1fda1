"""What the gateway's pod is told on Kubernetes renders a configuration that Envoy takes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.engines import envoy_bin
from deploy.local.issuer import Issuer
from gateway.envoy.__main__ import main
from gateway.interface import load

MANIFEST = Path(__file__).resolve().parents[3] / "deploy/k8s/base/gateway.yaml"
GIVEN = {"$(IOCEDU_ISSUER)": "https://id.example.vn", "$(IOCEDU_OTLP_ENDPOINT)": "http://jaeger:4317"}


@pytest.fixture
def pod() -> dict[str, Any]:
    """The pod of the manifest."""
    documents = yaml.safe_load_all(MANIFEST.read_text("utf-8"))
    found: dict[str, Any] = next(each for each in documents if each["kind"] == "Deployment")["spec"]["template"]["spec"]
    return found


def test_envoy_takes_what_the_init_container_renders(pod: dict[str, Any], tmp_path: Path) -> None:
    """Arguments, files and addresses fit together: rendered as in the pod, validated by Envoy itself."""
    [render] = pod["initContainers"]
    module, *arguments = render["args"]
    assert module == "gateway.envoy"
    for name, value in GIVEN.items():
        assert name[2:-1] in {each["name"] for each in render["env"]}
        arguments = [argument.replace(name, value) for argument in arguments]
    mounts = {
        each["mountPath"]
        for container in (*pod["initContainers"], *pod["containers"])
        for each in container["volumeMounts"]
    }
    assert {"/rendered", "/etc/iocedu/jwks"} <= mounts
    arguments = [argument.replace("/rendered", str(tmp_path)) for argument in arguments]
    arguments = [argument.replace("/etc/iocedu/jwks", str(tmp_path / "keys")) for argument in arguments]
    Issuer(tmp_path / "keys")

    assert main(arguments) == 0
    command: list[str | Path] = [
        envoy_bin(),
        "--mode",
        "validate",
        "--log-level",
        "error",
        "-c",
        tmp_path / "envoy.json",
    ]
    validated = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert validated.returncode == 0, validated.stderr

    rendered = json.loads((tmp_path / "envoy.json").read_text("utf-8"))
    [envoy] = pod["containers"]
    ports = {each["address"]["socket_address"]["port_value"] for each in rendered["static_resources"]["listeners"]}
    assert ports == {port["containerPort"] for port in envoy["ports"]}
    clusters = {each["name"]: each for each in rendered["static_resources"]["clusters"]}
    assert all(clusters[owner]["type"] == "STRICT_DNS" for owner in load().owners)


def test_a_gateway_is_ready_while_it_answers_itself(pod: dict[str, Any]) -> None:
    """One service that is away does not take the door from the others: readiness does not ask about them."""
    [envoy] = pod["containers"]
    assert envoy["readinessProbe"]["httpGet"]["path"] == "/livez"
