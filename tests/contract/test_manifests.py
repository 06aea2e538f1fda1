"""The Kubernetes manifests render, are valid, and tell each service exactly the settings it has."""

import importlib
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = ROOT / ".venv/bin/kubectl"
K8S = ROOT / "deploy/k8s"
SERVICES = ("records", "sync", "reporting", "alerts", "notify")
RENDERED = ("base", "overlays/dev", "overlays/production", "migrations/pre", "migrations/post")
KUBERNETES = "1.34"


def render(folder: str) -> list[dict[str, Any]]:
    """Return the objects of a kustomization."""
    out = subprocess.run([KUBECTL, "kustomize", K8S / folder], capture_output=True, text=True, check=False)

    assert out.returncode == 0, out.stderr
    return [document for document in yaml.safe_load_all(out.stdout) if document]


@pytest.mark.parametrize("folder", RENDERED)
def test_manifests_render_and_validate_strictly(folder: str) -> None:
    """Every object is known to Kubernetes and has no field it does not know."""
    for document in render(folder):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", RENDERED)
def test_pods_satisfy_the_restricted_standard(folder: str) -> None:
    """Every pod runs as non-root on a read-only root without capabilities, and without service links."""
    for document in render(folder):
        spec = document.get("spec", {}).get("template", {}).get("spec")
        if spec is None:
            continue
        name = f"{document['kind']}/{document['metadata']['name']}"

        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert set(container["resources"]) == {"requests", "limits"}, name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_its_settings_and_no_others(service: str) -> None:
    """A variable that the service does not know would stop it; a missing one would too."""
    settings = importlib.import_module(f"services.{service}.settings").Settings
    deployment = next(
        document
        for document in render("base")
        if document["kind"] == "Deployment" and document["metadata"]["name"] == service
    )
    given = {item["name"] for item in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    known = {f"IOCEDU_{name.upper()}" for name in settings.model_fields}
    needed = {f"IOCEDU_{name.upper()}" for name, field in settings.model_fields.items() if field.is_required()}

    assert given <= known, f"not settings of {service}: {given - known}"
    assert needed <= given, f"{service} is not told: {needed - given}"


def test_each_service_may_be_reached_only_by_its_callers() -> None:
    """The network policies name the callers that the architecture draws."""
    callers = {}
    for document in render("base"):
        if document["kind"] == "NetworkPolicy" and document["metadata"]["name"] in SERVICES:
            first = document["spec"]["ingress"][0]
            callers[document["metadata"]["name"]] = {
                peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in first["from"]
            }

    assert callers == {
        "records": {"sync", "reporting", "gateway"},
        "sync": {"gateway"},
        "reporting": {"gateway"},
        "alerts": {"gateway"},
        "notify": {"gateway"},
    }
