"""The data folder of one fleet: its stamp, its lock and the state its supervisor writes for the other commands.

Refuses a folder of another version, one that holds somebody else's files, one that cannot be written and a full disk.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.local.engines import POSTGRES_MAJOR
from deploy.local.errors import NotStarted

DATA_VERSION = 1
ROOM = 1_000_000_000
STAMP = "iocedu.json"


class DataFolder:
    """Where everything the fleet keeps lies: keys, databases, messages, logs."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def keys(self) -> Path:
        """The local issuer's keys."""
        return self.path / "keys"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """The log of one part."""
        return self.logs / f"{name}.log"

    def open(self) -> None:
        """Create the folder or check that it is ours, writable and on a disk with room, else NotStarted."""
        elsewhere = "or choose another folder with IOCEDU_DATA=<folder>"
        try:
            # Others may pass, for a PostgreSQL that runs as `nobody`, but see nothing.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            stamp = self.path / STAMP
            if stamp.exists():
                self._check(json.loads(stamp.read_text("utf-8")))
            elif any(self.path.iterdir()):
                raise NotStarted(f"{self.path} holds files of something else: name an empty folder, {elsewhere}")
            free = shutil.disk_usage(self.path).free
            if free < ROOM:
                raise NotStarted(f"only {free // 1_000_000} MB free for {self.path}: free at least 1 GB, {elsewhere}")
            write_json(stamp, {"data_version": DATA_VERSION, "postgresql": POSTGRES_MAJOR})
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise NotStarted(f"{self.path} cannot be used ({error.strerror}): correct that, {elsewhere}") from error
        except ValueError as error:
            raise NotStarted(f"{self.path / STAMP} is damaged: restore it, {elsewhere}") from error

    def _check(self, stamp: dict[str, Any]) -> None:
        ours = {"data_version": DATA_VERSION, "postgresql": POSTGRES_MAJOR}
        if stamp != ours:
            raise NotStarted(
                f"{self.path} was made by another version (data {stamp.get('data_version')}, PostgreSQL "
                f"{stamp.get('postgresql')}; this is data {DATA_VERSION}, PostgreSQL {POSTGRES_MAJOR}): "
                "move it away or choose another folder with IOCEDU_DATA=<folder>"
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; the kernel lets go when the holder dies, so a lock is never stale."""
        with (self.path / "fleet.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise NotStarted(f"a fleet already runs in {self.path}{_holder(self.state())}: make down") from error
            yield

    @property
    def locked(self) -> bool:
        """Whether a supervisor is alive here."""
        try:
            with (self.path / "fleet.lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def state(self) -> dict[str, Any]:
        """What the supervisor last wrote; empty when there is none or it is of a run that is over."""
        try:
            state: dict[str, Any] = json.loads((self.path / "fleet.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return state

    def write_state(self, state: dict[str, Any]) -> None:
        """Tell the other commands how the fleet is."""
        write_json(self.path / "fleet.json", state)

    def demo(self) -> dict[str, Any]:
        """How far the demo was loaded here: `scale` and `state`, or nothing."""
        try:
            demo: dict[str, Any] = json.loads((self.path / "demo.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return demo

    def write_demo(self, *, scale: str, state: str) -> None:
        """Remember that the demo is being loaded, or is."""
        write_json(self.path / "demo.json", {"scale": scale, "state": state})


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Written whole or not at all, for readers that come at any moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
    draft.replace(path)


def _holder(state: dict[str, Any]) -> str:
    return f" (process {state['pid']}, http://{state['gateway']})" if "pid" in state and "gateway" in state else ""
