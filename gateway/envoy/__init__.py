"""Envoy's configuration, rendered from the protos: routes, transcoding, tokens, limits, replies, traces."""
