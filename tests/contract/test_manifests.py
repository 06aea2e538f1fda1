"""The Kubernetes manifests render, are valid, and tell each service exactly the settings it has."""

import importlib
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chassis.health import LIVENESS
from deploy.local.issuer import ISSUER

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = ROOT / ".venv/bin/kubectl"
K8S = ROOT / "deploy/k8s"
SERVICES = ("records", "sync", "reporting", "alerts", "notify")
OVERLAYS = ("overlays/dev", "overlays/production")
MIGRATIONS = tuple(f"{overlay}/migrate-{phase}" for overlay in OVERLAYS for phase in ("pre", "post"))
RENDERED = ("base", *OVERLAYS, *MIGRATIONS)
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


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("phase", ["pre", "post"])
def test_migrations_run_where_and_as_what_the_services_run(overlay: str, phase: str) -> None:
    """A migration of another image, namespace or database secret than its service's would not run, or not fit."""
    of_service = {name: _pod(render(overlay), "Deployment", name) for name in SERVICES}
    jobs = render(f"{overlay}/migrate-{phase}")

    namespaces = {document["metadata"]["namespace"] for document in [*render(overlay), *jobs] if _namespaced(document)}
    assert len(namespaces) == 1
    for name, pod in of_service.items():
        job = _pod(jobs, "Job", f"{name}-migrate-{phase}")["containers"][0]
        assert job["args"] == [f"services.{name}", "migrate", "--phase", phase]
        assert job["image"] == pod["containers"][0]["image"]
        assert _secret_of(job) == _secret_of(pod["containers"][0]) == f"{name}-database"


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize(("role", "port"), [("database", 5432), ("broker", 4222)])
def test_engines_let_the_platform_in(overlay: str, role: str, port: int) -> None:
    """The namespace denies all by default, so whoever a service may call has to admit it, too."""
    documents = render(overlay)
    labels = [{"iocedu.io/role": role}]
    labels += [each["spec"]["template"]["metadata"]["labels"] for each in documents if each["kind"] == "StatefulSet"]
    engines = [each for each in labels if each.get("iocedu.io/role") == role]
    admitted = {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "iocedu"}}}
    admitting = [
        document["spec"]["podSelector"]["matchLabels"]
        for document in documents
        if document["kind"] == "NetworkPolicy"
        for rule in document["spec"].get("ingress", [])
        if admitted in rule.get("from", []) and {"port": port} in rule["ports"]
    ]

    assert any(wanted.items() <= found.items() for wanted in admitting for found in engines)


def test_copies_of_each_service_are_spread_by_themselves() -> None:
    """Counted over all services together, the three copies of one could share a node."""
    for name in (*SERVICES, "gateway"):
        for spread in _pod(render("overlays/production"), "Deployment", name)["topologySpreadConstraints"]:
            assert spread["matchLabelKeys"] == ["app.kubernetes.io/name"], name


def test_what_is_scaled_by_load_is_told_no_number() -> None:
    """Each apply would take the autoscaler's copies away again."""
    documents = render("overlays/production")
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in documents if each["kind"] == "HorizontalPodAutoscaler"}
    fixed = {each["metadata"]["name"] for each in documents if each.get("spec", {}).get("replicas") is not None}

    assert scaled
    assert not scaled & fixed


def test_the_try_out_cluster_takes_the_local_issuers_tokens() -> None:
    """The keys that operate.md tells to make belong to the issuer that this overlay names."""
    [told] = [each["data"]["issuer"] for each in render("overlays/dev") if "issuer" in (each.get("data") or {})]

    assert told == ISSUER


def test_reflection_is_not_open_in_production() -> None:
    """Reflection passes the gateway without a token, so it is for trying out."""
    [render_step] = _pod(render("overlays/production"), "Deployment", "gateway")["initContainers"]

    assert render_step["args"][-1] == "--reflection="


def _pod(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    [found] = [each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def _namespaced(document: dict[str, Any]) -> bool:
    return bool(document["kind"] != "Namespace")


def _secret_of(container: dict[str, Any]) -> str:
    [found] = [each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "DATABASE" in each["name"]]
    return str(found)


@pytest.mark.parametrize("service", SERVICES)
def test_probes_ask_for_what_the_chassis_answers(service: str) -> None:
    """Readiness asks for the whole, startup and liveness for the name that asks no dependency."""
    deployment = next(
        document
        for document in render("base")
        if document["kind"] == "Deployment" and document["metadata"]["name"] == service
    )
    container = deployment["spec"]["template"]["spec"]["containers"][0]

    asked = {probe: container[probe]["grpc"].get("service", "") for probe in container if probe.endswith("Probe")}
    assert asked == {"startupProbe": LIVENESS, "readinessProbe": "", "livenessProbe": LIVENESS}
