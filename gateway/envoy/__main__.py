"""`python -m gateway.envoy`: prints or writes the edge's configuration, for whoever starts Envoy by other means."""

import argparse
import json
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
        admin=options.admin,
        backends=backends,
        jwks=options.jwks,
        issuer=options.issuer,
        audience=options.audience,
        otlp=options.otlp,
        access_log=options.access_log,
        reflection=options.reflection,
        home_unit=options.home_unit,
        trusted_proxies=options.trusted_proxies,
        console=options.console,
        limits=Limits(requests_per_second=options.requests_per_second, request_burst=2 * options.requests_per_second),
    )
    try:
        text = json.dumps(bootstrap(edge), ensure_ascii=False, indent=1)
    except ValueError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 2
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.envoy", description=__doc__)
    parser.add_argument("--listen", default="0.0.0.0:8080", help="host:port of the one public port")
    parser.add_argument("--admin", default="", help="host:port of Envoy's own pages and metrics; empty: none")
    parser.add_argument(
        "--backend", action="append", default=[], metavar="NAME=HOST:PORT", help="once for each service"
    )
    parser.add_argument("--jwks", required=True, help="file or URL of the public keys")
    parser.add_argument("--issuer", required=True, help="the `iss` a token must carry")
    parser.add_argument("--audience", default="iocedu", help="the `aud` a token must carry")
    parser.add_argument("--otlp", default="", help="host:port traces are sent to; empty: none")
    parser.add_argument("--access-log", default="/dev/stdout", help="file of the access log; empty: none")
    parser.add_argument("--reflection", default="records", help="service that answers reflection; empty: none")
    parser.add_argument("--home-unit", default="", help="unit the console opens with")
    parser.add_argument("--trusted-proxies", type=int, default=0, help="proxies of ours in front of this one")
    parser.add_argument("--console", type=Path, default=CONSOLE, help="folder of the console, as Envoy sees it")
    parser.add_argument("--requests-per-second", type=int, default=Limits().requests_per_second, help="for each caller")
    parser.add_argument("--output", type=Path, help="file to write; standard output otherwise")
    return parser


if __name__ == "__main__":
    sys.exit(main())
