"""`status` and `logs`: how the fleet is, and what its parts write. Refuses to show a run that is over as running."""

import json
import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.local.errors import NotStarted
from deploy.local.folder import DataFolder
from deploy.local.reach import console_link
from deploy.local.settings import FleetSettings

COLOURS = {"ready": "green", "unready": "yellow", "starting": "yellow", "restarting": "red", "killed": "red"}
NOT_RUNNING = 3  # As service managers answer.
PIPED_WIDTH = 200  # Nothing is cut short for a reader that has no width.


def status(settings: FleetSettings, *, as_json: bool) -> int:
    """Show the fleet; 0 when all of it serves, 1 when some of it does not, 3 when it does not run."""
    folder = DataFolder(settings.data)
    state: dict[str, Any] = folder.state() if folder.locked else {"phase": "stopped", "parts": []}
    state["demo"] = folder.demo()
    if as_json:
        print(json.dumps(state, indent=1))
    else:
        _print_table(state, settings)
    if not folder.locked:
        return NOT_RUNNING
    return 0 if state["phase"] == "running" and all(part["state"] == "ready" for part in state["parts"]) else 1


def _print_table(state: dict[str, Any], settings: FleetSettings) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    if not state["parts"]:
        console.print(f"{state['phase']}: make up starts it" if state["phase"] == "stopped" else state["phase"])
        return
    console.print(f"{state['phase']} since {_moment(state['started'])}, {state['gateway']}, process {state['pid']}")
    table = Table(box=None, pad_edge=False)
    for column in ("part", "state", "pid", "address", "metrics", "restarts"):
        table.add_column(column, no_wrap=True)
    for part in state["parts"]:
        colour = COLOURS.get(part["state"], "dim")
        table.add_row(
            part["name"],
            f"[{colour}]{part['state']}[/{colour}]",
            str(part["pid"] or "–"),
            part["address"],
            part["metrics"],
            _restarts(part),
        )
    console.print(table)
    width = max(40, console.width)
    for part in state["parts"]:
        # What it said before it came back is no longer how it is.
        said = gist(part["detail"].removeprefix(part.get("ended", "")).lstrip(": "))
        if said and part["state"] != "ready":
            line = f"{part['name']}: {said}"
            console.print(line if len(line) <= width else f"{line[: width - 1]}…", markup=False)
    if state["phase"] == "running":
        console.print(f"\nConsole  {console_link(state['gateway'], settings)}")
    if state["demo"]:
        console.print(f"Demo     {state['demo']['scale']}, {state['demo']['state']}")


def _restarts(part: dict[str, Any]) -> str:
    """How often, and when and by what it ended the last time."""
    if not part.get("ended"):
        return str(part["restarts"])
    return f"{part['restarts']}, {_moment(part['ended_time'])} {part['ended']}"


def _moment(text: str) -> str:
    """An instant on this machine's clock, with the day where that is not today."""
    moment = datetime.fromisoformat(text).astimezone()
    today = datetime.now().astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M:%S}"


def gist(said: str) -> str:
    """One line of what a part said last: the message of a log line or of a failed call, without what surrounds it."""
    try:
        line = json.loads(said)
    except ValueError:
        line = None
    if isinstance(line, dict):
        said = ": ".join(str(line[name]) for name in ("event", "error", "failing") if line.get(name)) or said
    elif (details := re.search(r'details = "(.*)"', said)) is not None:
        code = re.search(r"StatusCode\.(\w+)", said)
        said = f"{code[1]}: {details[1]}" if code else details[1]
    return " ".join(said.split())


def logs(settings: FleetSettings, names: Sequence[str], *, lines: int, follow: bool) -> int:
    """Print the last lines of each log, then what is added to them until interrupted."""
    folder = DataFolder(settings.data)
    known = sorted(path.stem for path in folder.logs.glob("*.log"))
    wrong = [name for name in names if name not in known]
    if wrong or not known:
        raise NotStarted(f"no log of {', '.join(wrong) or 'anything'} in {folder.logs}; there is {', '.join(known)}")
    chosen = list(names) or [name for name in known if name != "access"]
    width = max(map(len, chosen))
    places: dict[str, int] = {}
    for name in chosen:
        content = folder.log(name).read_bytes()
        places[name] = len(content)
        for line in content.decode(errors="replace").splitlines()[-lines:]:
            print(f"{name:<{width}} {line}")
    try:
        while follow:
            time.sleep(0.3)
            for name in chosen:
                places[name] = _print_new(folder, name, places[name], width)
    except KeyboardInterrupt:
        pass
    return 0


def _print_new(folder: DataFolder, name: str, place: int, width: int) -> int:
    """Print whole lines added since `place`; the place to go on from. A log that shrank was turned over."""
    path = folder.log(name)
    size = path.stat().st_size if path.exists() else 0
    if size < place:
        place = 0
    if size == place:
        return place
    with path.open("rb") as file:
        file.seek(place)
        added = file.read()
    whole = added[: added.rfind(b"\n") + 1]
    for line in whole.decode(errors="replace").splitlines():
        print(f"{name:<{width}} {line}", flush=True)
    return place + len(whole)
