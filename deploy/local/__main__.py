"""The command line of the local fleet: `python -m deploy.local up|down|status|token|keys|logs`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from deploy.local import demo, detached, grants, show, up
from deploy.local.errors import NotStarted
from deploy.local.issuer import Issuer
from deploy.local.settings import FleetSettings, read_settings
from deploy.local.table import SERVICES

ROLES = (
    "administrator",
    "director",
    "officer",
    "auditor",
    "head_teacher",
    "clerk",
    "integrator",
    "provincial_ioc",
    "operator",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; whatever cannot run is said in one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options, read_settings(tuple(service.name for service in SERVICES)))
    except NotStarted as error:
        print(f"iocedu: {error}", file=sys.stderr)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"iocedu: {error.strerror or error}{where}", file=sys.stderr)
    except KeyboardInterrupt:
        return up.INTERRUPTED
    return 1


def _run(options: argparse.Namespace, settings: FleetSettings) -> int:
    if options.command == "up":
        asked = up.Options(scale=options.scale, demo=not options.no_demo, detach=options.detach, quiet=options.quiet)
        return up.up(settings, asked)
    if options.command == "down":
        return detached.down(settings, console=Console(stderr=True, highlight=False, soft_wrap=True))
    if options.command == "status":
        return show.status(settings, as_json=options.json)
    if options.command == "token":
        lifetime = timedelta(hours=options.hours)
        print(grants.token(settings, role=options.role, unit=options.unit, subject=options.subject, lifetime=lifetime))
        return 0
    if options.command == "keys":
        print(f"issuer.pem, jwks.json and a key per service are in {Issuer(options.out).folder}")
        return 0
    return show.logs(settings, options.names, lines=options.lines, follow=not options.no_follow)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The platform on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    command = commands.add_parser("up", help="start everything and load the demo if the store is empty")
    command.add_argument("--detach", action="store_true", help="return once everything serves and the demo is loaded")
    command.add_argument(
        "--scale", choices=demo.SCALES, default="", help=f"how much demo (default: {demo.DEFAULT_SCALE})"
    )
    command.add_argument("--no-demo", action="store_true", help="load nothing")
    command.add_argument("--quiet", action="store_true", help="say nothing but errors")
    commands.add_parser("down", help="stop the fleet")
    command = commands.add_parser("status", help="what runs and how it is")
    command.add_argument("--json", action="store_true", help="for scripts")
    command = commands.add_parser("token", help="give a role on a unit and print a token")
    command.add_argument("--role", choices=ROLES, required=True)
    command.add_argument("--unit", default="", help="alias or id, as gso:48; an administrator needs none")
    command.add_argument("--subject", help="who (default: made from role and unit)")
    command.add_argument("--hours", type=float, default=12.0, help="how long the token lives (default: %(default)s)")
    command = commands.add_parser("keys", help="make an issuer's and services' keys for a try-out cluster")
    command.add_argument("--out", type=Path, required=True, help="folder to write them to; what is there stays")
    command = commands.add_parser("logs", help="follow the logs")
    command.add_argument("names", nargs="*", metavar="part", help="of these parts; none: of all")
    command.add_argument("--lines", type=int, default=20, help="so many old lines first (default: %(default)s)")
    command.add_argument("--no-follow", action="store_true", help="end after the old lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
