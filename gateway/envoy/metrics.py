"""Envoy's own metrics for whoever scrapes them: one read-only page, since its administration page can also stop it."""

from typing import Any

from gateway.envoy.clusters import ADMIN, socket
from gateway.envoy.edge import Edge, host_port

_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def metrics_listener(edge: Edge) -> dict[str, Any]:
    """A listener that answers `/metrics` in Prometheus' text form, and nothing else."""
    page = {
        "match": {"path": "/metrics"},
        "route": {"cluster": ADMIN, "prefix_rewrite": "/stats/prometheus?usedonly"},
    }
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "metrics",
        "route_config": {"virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": [page]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "name": "metrics",
        "address": socket(*host_port(edge.metrics)),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": filters}],
    }
