"""The files a browser gets from the edge: the console, the interface's description and the page that shows it.

Envoy answers them itself, from the files of the console folder; nothing outside that folder can be asked for.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.envoy.edge import MEGABYTE, Edge
from gateway.fields import names
from gateway.interface import Interface
from gateway.openapi import document

LARGEST_FILE = 4 * MEGABYTE
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "application/javascript",
    ".json": "application/json",
    ".geojson": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSED = {
    "envoy.filters.http.compressor": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.CompressorPerRoute",
        "overrides": {"response_direction_config": {}},
    }
}
# Pages with an address of their own; every other file lies under its path in the folder.
_PAGES = {"index.html": "/", "docs.html": "/docs"}
# A chart library sets colours on what it draws by style attributes; no style sheet or script comes from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PROTECTING = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": _POLICY,
}


@dataclass(frozen=True)
class Asset:
    """One file: where it is asked for, what it holds, how long a browser may keep it without asking."""

    path: str
    content: bytes
    content_type: str
    source: Path | None = None  # absent: the content stands in the configuration
    immutable: bool = False

    @property
    def etag(self) -> str:
        """Changes with the content; weak, since Envoy may compress it on the way."""
        return f'W/"{hashlib.sha256(self.content).hexdigest()[:20]}"'


def assets(edge: Edge, interface: Interface) -> tuple[Asset, ...]:
    """All files of the site, in order of path."""
    files = [_file(edge.console, path) for path in sorted(edge.console.rglob("*")) if path.suffix in _TYPES]
    made = [
        _json("/openapi.json", document(interface)),
        _json("/console.json", {"home_unit": edge.home_unit, "calls": _calls(interface)}),
        _json("/fields.json", names()),
    ]
    return tuple(sorted([*files, *made], key=lambda asset: asset.path))


def _calls(interface: Interface) -> dict[str, list[str] | None]:
    """By verb and path, the roles a call is open to by its access option; None: any valid token suffices."""
    return {
        f"{method.rest.verb.upper()} {method.rest.path}": None
        if method.access.any_subject
        else sorted(method.access.roles)
        for method in interface.public
        if method.rest is not None
    }


def routes(edge: Edge, interface: Interface) -> list[dict[str, Any]]:
    """Envoy's routes for the site: for each file one that says «unchanged», then one that gives it."""
    return [route for asset in assets(edge, interface) for route in (_unchanged(asset), _given(asset))]


def _file(folder: Path, path: Path) -> Asset:
    name = path.relative_to(folder).as_posix()
    return Asset(
        path=_PAGES.get(name, f"/{name}"),
        content=path.read_bytes(),
        content_type=_TYPES[path.suffix],
        source=path,
        immutable=name.startswith("vendor/"),  # Vendored files lie under their version.
    )


def _json(path: str, content: dict[str, Any]) -> Asset:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Asset(path=path, content=text.encode(), content_type="application/json")


def _match(asset: Asset, *headers: dict[str, Any]) -> dict[str, Any]:
    asked = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
    return {"path": asset.path, "headers": [asked, *headers]}


def _unchanged(asset: Asset) -> dict[str, Any]:
    return {
        "match": _match(asset, {"name": "if-none-match", "string_match": {"contains": asset.etag}}),
        "direct_response": {"status": 304},
        "response_headers_to_add": [_header("etag", asset.etag), _header("cache-control", _caching(asset))],
    }


def _given(asset: Asset) -> dict[str, Any]:
    body = {"filename": str(asset.source)} if asset.source else {"inline_string": asset.content.decode()}
    headers = {
        "content-type": asset.content_type,
        "etag": asset.etag,
        "cache-control": _caching(asset),
        **PROTECTING,
    }
    return {
        "match": _match(asset),
        "direct_response": {"status": 200, "body": body},
        "response_headers_to_add": [_header(name, value) for name, value in headers.items()],
        "typed_per_filter_config": _COMPRESSED,
    }


def _caching(asset: Asset) -> str:
    return "public, max-age=31536000, immutable" if asset.immutable else "no-cache"


def _header(name: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": name, "value": value.replace("%", "%%")},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
