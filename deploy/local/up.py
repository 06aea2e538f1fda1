"""`up`: start the fleet here or detached, load the demo, say how to reach it.

Refuses to start beside a fleet that runs already, and to leave anything behind when it fails.
"""

import asyncio
import time
from dataclasses import dataclass

from rich.console import Console

from deploy.local.demo import is_another, load_if_empty
from deploy.local.detached import Detached
from deploy.local.fleet import Fleet
from deploy.local.folder import DataFolder
from deploy.local.reach import how_to_reach
from deploy.local.settings import FleetSettings
from deploy.local.supervisor import Stopped, Supervisor

INTERRUPTED = 130


@dataclass(frozen=True)
class Options:
    """What `up` was asked."""

    scale: str = ""  # None named: whatever is there, else the default.
    demo: bool = True
    detach: bool = False
    quiet: bool = False  # As the detached supervisor runs.


def up(settings: FleetSettings, options: Options) -> int:
    """Start the fleet; returns the exit status. In the foreground that is when it was told to stop."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    folder = DataFolder(settings.data)
    if folder.locked:
        state = folder.state()
        where = f"http://{state.get('gateway')}/ (process {state.get('pid')})"
        console.print(f"already running: {where}; make down stops it")
        if state.get("phase") == "running" and not options.quiet:
            if options.demo and (said := is_another(folder, options.scale)):
                console.print(f"  {said}")
            console.print(how_to_reach(state["gateway"], settings))
        return 0
    # What can be known beforehand is said here, where a person reads it, also when the rest runs detached.
    Fleet(settings.data, settings=settings, port=settings.port).check()
    if options.detach:
        return asyncio.run(_detach(settings, options, folder, console))
    return asyncio.run(_foreground(settings, options, console))


async def _foreground(settings: FleetSettings, options: Options, console: Console) -> int:
    supervisor = Supervisor(
        lambda on_change: Fleet(settings.data, settings=settings, port=settings.port, on_change=on_change)
    )
    began = time.monotonic()

    def say(text: str) -> None:
        if not options.quiet:
            console.print(f"  {text}")

    say(f"[bold]IOC Edu[/bold] in {settings.data}")

    def done(what: str, seconds: float) -> None:
        say(f"[green]✓[/green] {what:<10} {seconds:5.1f} s")

    try:
        async with supervisor.running(done) as fleet:
            say(f"everything serves after {time.monotonic() - began:.1f} s")
            if options.demo:
                load = load_if_empty(fleet.folder, settings, scale=options.scale, gateway=fleet.gateway, say=say)
                await supervisor.until_told(load)
            say(how_to_reach(fleet.gateway, settings) + "\n\n  Ctrl-C stops everything")
            await supervisor.told()
            say("stopping ...")
    except Stopped:
        return INTERRUPTED
    return 0


async def _detach(settings: FleetSettings, options: Options, folder: DataFolder, console: Console) -> int:
    """Start a supervisor that outlives this process, and load the demo from here, where a person sees it."""

    def say(text: str) -> None:
        console.print(f"  {text}")

    detached = Detached(settings, folder)
    try:
        gateway = await detached.until_running(lambda name: say(f"[green]✓[/green] {name}"))
        if options.demo:
            await load_if_empty(folder, settings, scale=options.scale, gateway=gateway, say=say)
    except BaseException:
        detached.stop()
        raise
    say(how_to_reach(gateway, settings) + "\n\n  make down stops it, make status shows it")
    return 0
