"""The chain every request passes: health, tokens, limits, gRPC-Web, transcoding. The order is part of the promise.

gRPC-Web stands first, so that what refuses later is answered in the caller's own protocol; tokens stand before limits,
so that a limit is counted per caller; transcoding stands last, so that all before it see the address as it was sent.
"""

import base64
from typing import Any

from chassis.keyring import LEEWAY_SECONDS, SELF_SIGNED
from gateway.envoy import site
from gateway.envoy.clusters import JWKS, PARTNER_JWKS
from gateway.envoy.edge import Edge
from gateway.interface import Interface

REFLECTION = ("/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/")
HEALTH = "/healthz"
ALIVE = "/livez"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def http_filters(edge: Edge, interface: Interface) -> list[dict[str, Any]]:
    """All HTTP filters in order."""
    return [
        _compression(),
        _filter("grpc_web", "grpc_web.v3.GrpcWeb", {}),
        _health(interface),
        _tokens(edge, interface),
        _rate_limit(edge),
        _transcoding(edge, interface),
        _filter("router", "router.v3.Router", {"suppress_envoy_headers": True}),
    ]


def _filter(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.{kind}"} | config,
    }


def _compression() -> dict[str, Any]:
    gzip = {
        "name": "gzip",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.compression.gzip.compressor.v3.Gzip",
            "compression_level": "COMPRESSION_LEVEL_6",
        },
    }
    # Off but where a route asks for it: it would hold back the lines of a stream.
    return _filter("compressor", "compressor.v3.Compressor", {"compressor_library": gzip}) | {"disabled": True}


def _health(interface: Interface) -> dict[str, Any]:
    # 200 while every service has a healthy instance, else 503.
    config = {
        "pass_through_mode": False,
        "cluster_min_healthy_percentages": {owner: {"value": 1} for owner in interface.owners},
        "headers": [{"name": ":path", "string_match": {"exact": HEALTH}}],
    }
    return _filter("health_check", "health_check.v3.HealthCheck", config)


def _tokens(edge: Edge, interface: Interface) -> dict[str, Any]:
    # Checking an ES256 signature costs more than everything else on the way.
    issued = _provider(edge, edge.issuer) | {"jwt_cache_config": {"jwt_cache_size": 10_000}}
    if "://" in edge.jwks:
        uri = {"uri": edge.jwks, "cluster": JWKS, "timeout": "5s"}
        issued["remote_jwks"] = {"http_uri": uri, "cache_duration": "300s", "async_fetch": {"fast_listener": True}}
    else:
        issued["local_jwks"] = {"filename": edge.jwks}
    providers, required = {"iocedu": issued}, [{"provider_name": "iocedu"}]
    if edge.partner_jwks:
        # No cache of tokens: one that was good would outlive its key. Keys are fetched five seconds before they are
        # old, so every two seconds, and after one where sync did not answer.
        uri = {"uri": edge.partner_jwks, "cluster": PARTNER_JWKS, "timeout": "2s"}
        fetched = {"http_uri": uri, "cache_duration": "7s", "async_fetch": {"fast_listener": True}}
        providers["partners"] = _provider(edge, SELF_SIGNED) | {"remote_jwks": fetched}
        required.append({"provider_name": "partners"})
    exempt = [{"match": {"path": path}} for path in (ALIVE, *(a.path for a in site.assets(edge, interface)))]
    if edge.reflection:
        exempt += [{"match": {"prefix": prefix}} for prefix in REFLECTION]
    requires = {"requires_any": {"requirements": required}} if len(required) > 1 else required[0]
    # The last rule denies: whatever is not named above needs a token.
    rules = [*exempt, {"match": {"prefix": "/"}, "requires": requires}]
    return _filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", {"providers": providers, "rules": rules})


def _provider(edge: Edge, issuer: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "audiences": [edge.audience],
        # Only the header: a token in an address ends up in logs and histories.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "forward": True,
        "require_expiration": True,
        "clock_skew_seconds": int(LEEWAY_SECONDS),
        "payload_in_metadata": "token",
    }


def _rate_limit(edge: Edge) -> dict[str, Any]:
    bucket = {
        "max_tokens": edge.limits.request_burst,
        "tokens_per_fill": max(1, edge.limits.requests_per_second // 10),
        "fill_interval": "0.1s",
    }
    subject = {
        "metadata": {
            "descriptor_key": "subject",
            "source": "DYNAMIC",
            "metadata_key": {
                "key": "envoy.filters.http.jwt_authn",
                "path": [{"key": "token"}, {"key": "sub"}],
            },
            "skip_if_absent": True,
        }
    }
    config = {
        "stat_prefix": "edge",
        "filter_enabled": {"default_value": {"numerator": 100}},
        "filter_enforced": {"default_value": {"numerator": 100}},
        # What no caller's own bucket counts shares this one; a named caller is counted in his or her own only.
        "token_bucket": bucket,
        "always_consume_default_token_bucket": False,
        "descriptors": [{"entries": [{"key": "subject"}], "token_bucket": bucket}],
        "max_dynamic_descriptors": 20_000,
        "rate_limits": [{"actions": [subject]}],
        "rate_limited_as_resource_exhausted": True,
    }
    return _filter("local_ratelimit", "local_ratelimit.v3.LocalRateLimit", config)


def _transcoding(edge: Edge, interface: Interface) -> dict[str, Any]:
    config = {
        "proto_descriptor_bin": base64.b64encode(interface.stripped()).decode(),
        "services": list(interface.services),
        "convert_grpc_status": True,
        "print_options": {
            "preserve_proto_field_names": True,
            "always_print_primitive_fields": True,
            "stream_newline_delimited": True,
        },
        "request_validation_options": {
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
        # A unit is `moet:49502001` and a class may be `6/1`: what a client escaped arrives as it was meant.
        "url_unescape_spec": "ALL_CHARACTERS",
        # Browsers write a blank in a question as `+`.
        "query_param_unescape_plus": True,
        # A unary document longer than it said is refused by the service, whose limit is the same.
        "max_request_body_size": edge.limits.request_bytes,
        "max_response_body_size": 4 * edge.limits.request_bytes,
    }
    return _filter("grpc_json_transcoder", "grpc_json_transcoder.v3.GrpcJsonTranscoder", config)
