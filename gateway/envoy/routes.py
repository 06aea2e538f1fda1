"""Which method goes to which service, and for how long. What has no route here cannot be called from outside."""

from typing import Any

from gateway.envoy import site
from gateway.envoy.edge import Edge
from gateway.envoy.filters import ALIVE, REFLECTION
from gateway.interface import Interface, Method

# A service's own token has no business coming in from outside.
INTERNAL_HEADERS = ("x-iocedu-service",)


def route_config(edge: Edge, interface: Interface) -> dict[str, Any]:
    """Envoy's route table."""
    alive = {"match": {"path": ALIVE}, "direct_response": {"status": 200, "body": {"inline_string": "alive\n"}}}
    return {
        "name": "edge",
        "max_direct_response_body_size_bytes": site.LARGEST_FILE,
        "request_headers_to_remove": list(INTERNAL_HEADERS),
        "virtual_hosts": [
            {
                "name": "edge",
                "domains": ["*"],
                "routes": [
                    *(_method(edge, method) for method in interface.public),
                    *_reflection(edge),
                    alive,
                    *site.routes(edge, interface),
                ],
            }
        ],
    }


def _method(edge: Edge, method: Method) -> dict[str, Any]:
    target: dict[str, Any] = {"cluster": method.owner}
    route: dict[str, Any] = {
        "match": {"path": method.grpc_path, "grpc": {}},
        "decorator": {"operation": method.grpc_path.removeprefix("/")},
        "route": target,
    }
    if method.streams:
        # No end in time, but a sign of life: services send heartbeats more often than this.
        target |= {"timeout": "0s", "idle_timeout": f"{edge.limits.stream_idle_seconds}s"}
        return route
    seconds = edge.limits.unary_seconds
    target |= {
        "timeout": f"{seconds}s",
        "max_stream_duration": {"grpc_timeout_header_max": f"{seconds}s", "max_stream_duration": f"{seconds}s"},
    }
    # REST callers name no deadline, and services want one.
    deadline = {"key": "grpc-timeout", "value": f"{seconds}S"}
    route["request_headers_to_add"] = [{"header": deadline, "append_action": "ADD_IF_ABSENT"}]
    if method.idempotent:
        target["retry_policy"] = {
            "retry_on": "connect-failure,refused-stream,unavailable",
            "num_retries": 2,
            "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
        }
    return route


def _reflection(edge: Edge) -> list[dict[str, Any]]:
    if not edge.reflection:
        return []
    return [
        {
            "match": {"prefix": prefix, "grpc": {}},
            "route": {"cluster": edge.reflection, "timeout": "0s", "idle_timeout": "30s"},
        }
        for prefix in REFLECTION
    ]
