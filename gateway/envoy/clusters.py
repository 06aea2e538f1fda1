"""The services behind the edge, with their health, and what else Envoy calls: a key set by URL, a trace collector."""

from typing import Any
from urllib.parse import urlsplit

from gateway.envoy.edge import Edge, host_port, is_name

ADMIN = "admin"
JWKS = "jwks"
PARTNER_JWKS = "partner_jwks"
OTLP = "otlp"


def clusters(edge: Edge) -> list[dict[str, Any]]:
    """All clusters of the edge."""
    found = [_service(name, addresses) for name, addresses in sorted(edge.backends.items())]
    if edge.metrics:
        found.append(_cluster(ADMIN, edge.admin))
    if edge.otlp:
        found.append(_cluster(OTLP, urlsplit(edge.otlp).netloc or edge.otlp) | _http2())
    if "://" in edge.jwks:
        found.append(_key_set(JWKS, edge.jwks))
    if edge.partner_jwks:
        found.append(_key_set(PARTNER_JWKS, edge.partner_jwks))
    return found


def socket(host: str, port: int) -> dict[str, Any]:
    """An address in Envoy's words."""
    return {"socket_address": {"address": host, "port_value": port}}


def _service(name: str, addresses: str) -> dict[str, Any]:
    return (
        _cluster(name, addresses)
        | _http2()
        | {
            "health_checks": [
                {
                    "timeout": "3s",
                    "interval": "5s",
                    "no_traffic_interval": "2s",
                    "unhealthy_interval": "1s",
                    "no_traffic_healthy_interval": "5s",
                    "unhealthy_threshold": 2,
                    "healthy_threshold": 1,
                    "grpc_health_check": {},
                }
            ],
            # Watching consoles hold a request each for hours: the default of 1,024 would be a town's worth.
            "circuit_breakers": {
                "thresholds": [
                    {
                        "max_connections": 1024,
                        "max_requests": 100_000,
                        "max_pending_requests": 10_000,
                        "max_retries": 50,
                    }
                ]
            },
        }
    )


def _cluster(name: str, addresses: str) -> dict[str, Any]:
    hosts = [host_port(address) for address in addresses.split(",")]
    cluster: dict[str, Any] = {
        "name": name,
        "connect_timeout": "2s",
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(*host)}} for host in hosts]}],
        },
    }
    if any(is_name(host) for host, _ in hosts):
        return cluster | {"type": "STRICT_DNS", "dns_refresh_rate": "5s", "respect_dns_ttl": False}
    return cluster | {"type": "STATIC"}


def _http2() -> dict[str, Any]:
    return {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    "http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "10s"}}
                },
            }
        }
    }


def _key_set(name: str, url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    cluster = _cluster(name, f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    if parts.scheme == "https":
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": host,
                "common_tls_context": {
                    "validation_context": {
                        "trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"},
                        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
                    }
                },
            },
        }
    return cluster
