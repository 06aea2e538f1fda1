"""Renders the whole configuration of the edge. Refuses an edge that lacks a service some public method belongs to."""

from typing import Any

from gateway.envoy.clusters import OTLP, clusters, socket
from gateway.envoy.edge import MEGABYTE, Edge, Limits, host_port
from gateway.envoy.filters import http_filters
from gateway.envoy.metrics import metrics_listener
from gateway.envoy.replies import local_replies
from gateway.envoy.routes import route_config
from gateway.interface import Interface, load

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
# Never the query: it can hold a name that was searched for.
_LOG_LINE = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "action": "request",
    "service": "gateway",
    "trace_id": "%TRACE_ID%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "subject": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:token:sub)%",
    "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "rpc": "%PATH(NQ:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS%",
    "detail": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "backend": "%UPSTREAM_CLUSTER%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "user_agent": "%REQ(USER-AGENT)%",
}


def bootstrap(edge: Edge, interface: Interface | None = None) -> dict[str, Any]:
    """Envoy's bootstrap as a dict, to be written as JSON."""
    interface = interface or load(edge.descriptors)
    missing = sorted(set(interface.owners) - set(edge.backends))
    if missing:
        raise ValueError(f"no address given for {', '.join(missing)}")
    if edge.reflection and edge.reflection not in edge.backends:
        raise ValueError(f"reflection is to be answered by {edge.reflection}, which has no address")
    if edge.metrics and not edge.admin:
        raise ValueError("metrics are read from the administration page, which has no address")
    if bool(edge.certificate) != bool(edge.private_key):
        raise ValueError("a certificate and its private key go together")
    listeners = [_listener(edge, interface), *([metrics_listener(edge)] if edge.metrics else [])]
    rendered: dict[str, Any] = {
        "node": {"id": "gateway", "cluster": "iocedu"},
        "overload_manager": {"resource_monitors": [_connections(edge.limits)]},
        "static_resources": {"listeners": listeners, "clusters": clusters(edge)},
    }
    if edge.admin:
        rendered["admin"] = {"address": socket(*host_port(edge.admin))}
    return rendered


def _connections(limits: Limits) -> dict[str, Any]:
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": limits.connections,
        },
    }


def _listener(edge: Edge, interface: Interface) -> dict[str, Any]:
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _connection_manager(edge, interface),
    }
    chain: dict[str, Any] = {"filters": [manager]}
    if edge.certificate:
        chain["transport_socket"] = _tls(edge)
    return {
        "name": "edge",
        "address": socket(*host_port(edge.listen)),
        # Two gateways must not share a port in silence.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": MEGABYTE,
        "filter_chains": [chain],
    }


def _tls(edge: Edge) -> dict[str, Any]:
    pair = {"certificate_chain": {"filename": edge.certificate}, "private_key": {"filename": edge.private_key}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificates": [pair],
                "alpn_protocols": ["h2", "http/1.1"],
            },
        },
    }


def _connection_manager(edge: Edge, interface: Interface) -> dict[str, Any]:
    manager: dict[str, Any] = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "codec_type": "AUTO",
        "server_name": "iocedu",
        "use_remote_address": True,
        "xff_num_trusted_hops": edge.trusted_proxies,
        "always_set_request_id_in_response": True,
        "normalize_path": True,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "request_headers_timeout": "10s",
        "stream_idle_timeout": f"{edge.limits.stream_idle_seconds}s",
        "common_http_protocol_options": {"idle_timeout": "3600s", "headers_with_underscores_action": "REJECT_REQUEST"},
        "http2_protocol_options": {
            "max_concurrent_streams": 1000,
            "initial_stream_window_size": MEGABYTE,
            "initial_connection_window_size": 16 * MEGABYTE,
            "connection_keepalive": {"interval": "60s", "timeout": "20s"},
        },
        "http_filters": http_filters(edge, interface),
        "route_config": route_config(edge, interface),
        "local_reply_config": local_replies(edge),
    }
    if edge.access_log:
        manager["access_log"] = [_access_log(edge.access_log)]
    if edge.otlp:
        manager["tracing"] = _tracing(edge.trace_ratio)
    return manager


def _access_log(path: str) -> dict[str, Any]:
    config = {"path": path, "log_format": {"json_format": _LOG_LINE, "omit_empty_values": True}}
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {"@type": f"{_EXTENSIONS}.access_loggers.file.v3.FileAccessLog"} | config,
    }


def _tracing(ratio: float) -> dict[str, Any]:
    return {
        "random_sampling": {"value": ratio * 100},
        "spawn_upstream_span": False,
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "grpc_service": {"envoy_grpc": {"cluster_name": OTLP}, "timeout": "1s"},
                "service_name": "gateway",
            },
        },
    }
