"""How to reach a fleet that runs: the console's link, which signs in, and lines to try. Refuses to start anything."""

from datetime import timedelta

from deploy.local.demo import DIRECTOR
from deploy.local.folder import DataFolder
from deploy.local.issuer import Issuer
from deploy.local.settings import FleetSettings


def console_link(gateway: str, settings: FleetSettings) -> str:
    """A link that signs in to the console by its fragment, which no server sees.

    It signs in as the demo's director, who has an inbox, or as the administrator where no demo was loaded.
    """
    folder = DataFolder(settings.data)
    subject = DIRECTOR if folder.demo() else settings.administrator
    token = Issuer(folder.keys).mint(subject, lifetime=timedelta(hours=12))
    return f"http://{gateway}/#token={token}"


def how_to_reach(gateway: str, settings: FleetSettings) -> str:
    """What a newcomer tries first."""
    return f"""
  Console   {console_link(gateway, settings)}
  API page  http://{gateway}/docs
  Token     TOKEN=$(make -s token ARGS="--role officer --unit gso:48")
  REST      curl -H "authorization: Bearer $TOKEN" http://{gateway}/v1/units/gso:48
  gRPC      .venv/bin/buf curl --http2-prior-knowledge --protocol grpc -H "authorization: Bearer $TOKEN" \\
              -d '{{"unit": "gso:48"}}' http://{gateway}/iocedu.records.v1.UnitsService/GetUnit"""
