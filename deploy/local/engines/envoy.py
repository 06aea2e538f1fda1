"""The edge as a local process: Envoy with a rendered bootstrap. Refuses hot restart and shared ports."""

import asyncio
import contextlib
import json
import time
from pathlib import Path

import httpx

from deploy.local.engines.binaries import envoy_bin
from deploy.local.errors import NotStarted
from deploy.local.processes import PING_LIMIT, Process

START_LIMIT = 30.0


class Envoy:
    """One proxy on a JSON bootstrap whose `admin` address tells when it is ready."""

    def __init__(self, config: Path, *, concurrency: int = 2, log: Path | None = None) -> None:
        self.config = config.absolute()
        self.log = log or self.config.with_name("envoy.log")
        self._concurrency = concurrency
        self._process: Process | None = None

    @property
    def admin(self) -> str:
        """The host and port of its administration page."""
        address = json.loads(self.config.read_text("utf-8"))["admin"]["address"]["socket_address"]
        return f"{address['address']}:{address['port_value']}"

    @property
    def process(self) -> Process | None:
        """The running proxy, if it was started."""
        return self._process

    async def start(self) -> None:
        """Start and return once it serves. NotStarted says why it cannot."""
        end = time.monotonic() + START_LIMIT
        command: list[str | Path] = [
            envoy_bin(),
            "--config-path",
            self.config,
            "--concurrency",
            str(self._concurrency),
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--file-flush-interval-msec",
            "500",  # Else the access log lags by ten seconds.
        ]
        self._process = Process("envoy", command, log=self.log, folder=self.config.parent)
        while self._process.alive and time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError, OSError):
                await self.ping()
                return
            await asyncio.sleep(0.05)
        words = self._process.last_words(2)
        await self.stop()
        raise NotStarted(f"Envoy did not start: {words or 'no answer'} (log: {self.log})")

    async def stop(self, *, grace: float = 3.0) -> None:
        """End it; open requests are cut after `grace` seconds."""
        if self._process is not None:
            await self._process.stop(grace=grace)
            self._process = None

    def kill(self) -> None:
        """Kill it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    async def ping(self) -> None:
        """Raise when it does not serve."""
        async with httpx.AsyncClient(timeout=PING_LIMIT, trust_env=False) as client:
            (await client.get(f"http://{self.admin}/ready")).raise_for_status()
