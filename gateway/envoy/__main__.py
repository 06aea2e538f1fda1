"""`python -m gateway.envoy`: renders the edge's configuration, for whoever starts Envoy by other means.

With `--folder` the console's files go there too, for an Envoy that does not see this installation.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.envoy.edge import CONSOLE, Edge, Limits
from gateway.envoy.render import bootstrap


def main(arguments: Sequence[str] | None = None) -> int:
    """Render by the command line's options; returns the exit status."""
    options = _parser().parse_args(arguments)
    backends = dict(pair.split("=", 1) for pair in options.backend if "=" in pair)
    edge = Edge(
        listen=options.listen,
        certificate=options.certificate,
        private_key=options.private_key,
        admin=options.admin,
        metrics=options.metrics,
        backends=backends,
        jwks=options.jwks,
        partner_jwks=options.partner_jwks,
        issuer=options.issuer,
        audience=options.audience,
        otlp=options.otlp,
        access_log=options.access_log,
        reflection=options.reflection,
        home_unit=options.home_unit,
        trusted_proxies=options.trusted_proxies,
        console=options.folder / "console" if options.folder else CONSOLE,
        limits=Limits(requests_per_second=options.requests_per_second, request_burst=2 * options.requests_per_second),
    )
    if options.folder:
        shutil.copytree(CONSOLE, edge.console, dirs_exist_ok=True)
    try:
        text = json.dumps(bootstrap(edge), ensure_ascii=False, indent=1)
    except ValueError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 2
    if options.folder:
        (options.folder / "envoy.json").write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.envoy", description=__doc__)
    parser.add_argument("--listen", default="0.0.0.0:8080", help="host:port of the one public port")
    parser.add_argument("--certificate", default="", help="PEM file; with it the public port speaks TLS")
    parser.add_argument("--private-key", default="", help="PEM file of its key")
    parser.add_argument("--metrics", default="", help="host:port of the page `/metrics`; empty: none")
    parser.add_argument("--admin", default="", help="host:port of Envoy's own pages and metrics; empty: none")
    parser.add_argument(
        "--backend", action="append", default=[], metavar="NAME=HOST:PORT", help="once for each service"
    )
    parser.add_argument("--jwks", required=True, help="file or URL of the public keys")
    parser.add_argument("--partner-jwks", default="", help="URL of the keys by which partners sign; empty: none do")
    parser.add_argument("--issuer", required=True, help="the `iss` a token must carry")
    parser.add_argument("--audience", default="iocedu", help="the `aud` a token must carry")
    parser.add_argument("--otlp", default="", help="host:port traces are sent to; empty: none")
    parser.add_argument("--access-log", default="/dev/stdout", help="file of the access log; empty: none")
    parser.add_argument("--reflection", default="records", help="service that answers reflection; empty: none")
    parser.add_argument("--home-unit", default="", help="unit the console opens with")
    parser.add_argument("--trusted-proxies", type=int, default=0, help="proxies of ours in front of this one")
    parser.add_argument("--requests-per-second", type=int, default=Limits().requests_per_second, help="for each caller")
    parser.add_argument("--folder", type=Path, help="folder to write envoy.json to; standard output otherwise")
    return parser


if __name__ == "__main__":
    sys.exit(main())
