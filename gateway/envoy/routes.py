"""Which method goes to which service, and for how long. What has no route here cannot be called from outside."""

import re
from typing import Any

from gateway.envoy import site
from gateway.envoy.edge import Edge
from gateway.envoy.filters import ALIVE, REFLECTION, TRANSCODER
from gateway.interface import Interface, Method

# A service's own token has no business coming in from outside.
INTERNAL_HEADERS = ("x-iocedu-service",)
# gRPC and gRPC-Web alike; JSON sent to a gRPC address is not for anybody.
_GRPC = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}


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
                    _too_large(edge, interface),
                    *(_method(edge, method) for method in interface.public),
                    *_reflection(edge),
                    alive,
                    *site.routes(edge, interface),
                ],
            }
        ],
    }


def _too_large(edge: Edge, interface: Interface) -> dict[str, Any]:
    """Refuses a document that says it is too large, unless it is one that streams; services count what is sent."""
    streamed = [method.rest.path for method in interface.public if method.rest and method.descriptor.client_streaming]
    paths = "|".join(re.sub(r"{[^}]+}", "[^/]+", path) for path in streamed)
    a_stream = {"safe_regex": {"regex": f"({paths})([?].*)?"}}
    return {
        "match": {
            "prefix": "/v1/",
            "headers": [
                {
                    "name": "content-length",
                    "range_match": {"start": edge.limits.request_bytes + 1, "end": 2**62},
                },
                {"name": ":path", "string_match": a_stream, "invert_match": True},
            ],
        },
        "direct_response": {"status": 413},
        "typed_per_filter_config": {
            TRANSCODER: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
        },
    }


def _method(edge: Edge, method: Method) -> dict[str, Any]:
    target: dict[str, Any] = {"cluster": method.owner}
    route: dict[str, Any] = {
        "match": {"path": method.grpc_path, "headers": [_GRPC]},
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
            "match": {"prefix": prefix, "headers": [_GRPC]},
            "route": {"cluster": edge.reflection, "timeout": "0s", "idle_timeout": "30s"},
        }
        for prefix in REFLECTION
    ]
