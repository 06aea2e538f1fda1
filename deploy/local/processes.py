"""A child process of the fleet: starts, dies with its parent, writes to a log, stops in a bound.

Refuses to start anything that would outlive the process that started it. The kernel ties a child to the *thread* that
started it, so start processes from a thread that lives as long as they should.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

from deploy.local.errors import NotStarted

LAUNCH = Path(__file__).with_name("launch.py")
LOG_LIMIT = 20_000_000
PING_LIMIT = 10.0  # Seconds for an answer; a machine under load is slow, and no part of it is broken for that.
User = Literal["same", "mapped", "nobody"]


def command_of(
    command: Sequence[str | Path],
    *,
    user: User = "same",
    death_signal: signal.Signals = signal.SIGKILL,
) -> list[str]:
    """The command wrapped so that it gets `death_signal` when this process dies, and runs as `user`."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(death_signal)), user, "--"]
    return [*launcher, *map(str, command)]


def turn_over(log: Path) -> None:
    """Keep one older log once the current one is large, so that a folder never fills up with logs."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(log.suffix + ".1"))


def last_words(log: Path, *, start: int = 0, lines: int = 1) -> str:
    """The last lines that are not blank in a log, from byte `start`: what the dead process said."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


def _open_log(log: Path) -> IO[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    turn_over(log)
    output = log.open("ab")
    output.seek(0, os.SEEK_END)
    return output


class Process:
    """One child in its own process group, its output appended to `log`, or on the terminal when there is none."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path | None,
        environment: Mapping[str, str] | None = None,
        user: User = "same",
        death_signal: signal.Signals = signal.SIGKILL,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.started = time.monotonic()
        with contextlib.ExitStack() as opened:
            output = opened.enter_context(_open_log(log)) if log is not None else None
            self.log_start = output.tell() if output is not None else 0
            try:
                self._child = subprocess.Popen(
                    command_of(command, user=user, death_signal=death_signal),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=None if output is None else subprocess.STDOUT,
                    env=dict(environment) if environment is not None else None,
                    cwd=folder,
                    process_group=0,
                )
            except OSError as error:
                raise NotStarted(f"{name} cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        """The process id; the same before and after it became the command."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def last_words(self, lines: int = 1) -> str:
        """The last lines this run wrote."""
        return "" if self.log is None else last_words(self.log, start=self.log_start, lines=lines)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone; one that is gone is no error."""
        self._child.send_signal(number)

    def kill(self) -> None:
        """Kill the whole process group at once and reap it: what a crash looks like."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  a bound on polling, not on a task
        """Whether it ended within `timeout` seconds."""
        end = time.monotonic() + timeout
        while self.alive:
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(0.02)
        return True

    async def stop(self, *, grace: float, number: signal.Signals = signal.SIGTERM) -> bool:
        """Ask it to end, kill it after `grace` seconds; True when it ended by itself."""
        self.send(number)
        ended = await self.wait(grace)
        self.kill()
        return ended
