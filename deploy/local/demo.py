"""Loads the demo through the front door when the store is empty. Refuses to load twice what is there."""

import sys
from collections.abc import Callable
from datetime import timedelta

import httpx

from deploy.local.errors import NotStarted
from deploy.local.folder import DataFolder
from deploy.local.issuer import Issuer
from deploy.local.processes import Process
from deploy.local.settings import CHECKOUT, FleetSettings

DIRECTOR = "giam-doc"  # The subject to whom the demo gives the whole province.
SCALES = ("tiny", "default", "province", "merged")
DEFAULT_SCALE = "default"


def is_another(folder: DataFolder, scale: str) -> str:
    """What to say when a demo of another scale than the one asked for is there; empty when there is nothing to say."""
    there = folder.demo().get("scale", "")
    if not scale or not there or scale == there:
        return ""
    return (
        f"{folder.path} holds the {there} demo and keeps it: for {scale}, make down and start in an empty folder "
        "with IOCEDU_DATA=<folder>"
    )


async def load_if_empty(
    folder: DataFolder, settings: FleetSettings, *, scale: str, gateway: str, say: Callable[[str], None]
) -> None:
    """Load the demo unless it, or anything else, is there; one that was interrupted is completed.

    An empty `scale` asks for the default, and is content with any that is there.
    """
    known = folder.demo()
    if said := is_another(folder, scale):
        say(said)
    scale = scale or DEFAULT_SCALE
    if known.get("state") == "loaded":
        return
    if not known and await _holds_units(folder, settings, gateway):
        say("the store holds units already: no demo is loaded")
        return
    if known:
        scale = known["scale"]
        say(f"the demo ({scale}) was interrupted: completing it")
    folder.write_demo(scale=scale, state="loading")
    command = [sys.executable, "-m", "demo.load"]
    options = ["--gateway", gateway, "--scale", scale, "--issuer-folder", str(folder.keys)]
    process = Process("demo", [*command, *options], log=None, folder=CHECKOUT)
    try:
        while not await process.wait(60):
            pass
    finally:
        process.kill()
    if process.returncode != 0:
        raise NotStarted(f"the demo was not loaded (exit status {process.returncode}); start again to complete it")
    folder.write_demo(scale=scale, state="loaded")


async def _holds_units(folder: DataFolder, settings: FleetSettings, gateway: str) -> bool:
    token = Issuer(folder.keys).mint(settings.administrator, lifetime=timedelta(minutes=5))
    async with httpx.AsyncClient(base_url=f"http://{gateway}", timeout=20, trust_env=False) as client:
        answer = await client.get(f"/v1/units/{settings.home_unit}", headers={"authorization": f"Bearer {token}"})
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise NotStarted(f"the gateway answered {answer.status_code} when asked whether the store is empty")
    return answer.status_code == httpx.codes.OK
