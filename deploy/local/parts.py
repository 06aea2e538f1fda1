"""A service as a part of the fleet: the same start, ping, stop and kill as an engine has.

Refuses to call a service started before it says so itself: its ready file is written and its health check answers.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.errors import NotStarted
from deploy.local.processes import PING_LIMIT, Process
from deploy.local.settings import CHECKOUT

START_LIMIT = 300.0  # Seconds; machines that build and test at the same time are slow. What dies is told at once.


class Part(Protocol):
    """What the fleet starts, watches and stops."""

    @property
    def process(self) -> Process | None:
        """The running process, if it was started."""

    async def start(self) -> None:
        """Start and return once it serves; NotStarted says why it cannot."""

    async def stop(self, *, grace: float = ...) -> None:
        """End it, killing it after `grace` seconds."""

    def kill(self) -> None:
        """Kill it as a crash would."""

    async def ping(self) -> None:
        """Raise when it does not serve."""


class ServicePart:
    """One copy of a service."""

    def __init__(self, name: str, module: str, *, environment: Mapping[str, str], ready_file: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._module = module
        self._environment = environment
        self._ready_file = ready_file
        self._process: Process | None = None

    @property
    def process(self) -> Process | None:
        """The running service, if it was started."""
        return self._process

    @property
    def address(self) -> str:
        """Where it serves; empty before it is ready."""
        with contextlib.suppress(FileNotFoundError):
            return self._ready_file.read_text("ascii").strip()
        return ""

    async def start(self) -> None:
        """Start it and return once it is ready and its health check says so."""
        self._ready_file.parent.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", self._module]
        process = Process(self.name, command, log=self.log, environment=self._environment, folder=CHECKOUT)
        self._process = process
        end = time.monotonic() + START_LIMIT
        while process.alive and time.monotonic() < end:
            if self.address:
                with contextlib.suppress(grpc.RpcError, OSError):
                    await self.ping()
                    return
            await asyncio.sleep(0.05)
        why = _why(process) if not process.alive else f"not ready after {START_LIMIT:.0f} s; {_why(process)}"
        process.kill()
        raise NotStarted(f"{self.name} did not start: {why} (log: {self.log})")

    async def stop(self, *, grace: float = 4.0) -> None:
        """Ask it to finish what is under way and end."""
        if self._process is not None:
            await self._process.stop(grace=grace)
            self._process = None
        self._ready_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill it as a crash would."""
        if self._process is not None:
            self._process.kill()

    async def ping(self) -> None:
        """Raise when its health check does not answer SERVING."""
        async with grpc.aio.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=PING_LIMIT
            )
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise OSError(f"{self.name} is not serving")


class SimulatorPart:
    """A stand-in for a system outside. It serves as soon as its port answers."""

    def __init__(
        self,
        name: str,
        module: str,
        *,
        address: str,
        folder: Path,
        account: tuple[str, str],
        log: Path,
        arguments: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.log = log
        self.address = address
        self._command = [sys.executable, "-m", module, "--listen", address, "--data", str(folder), *arguments]
        self._account = account
        self._process: Process | None = None

    @property
    def process(self) -> Process | None:
        """The running process, if it was started."""
        return self._process

    async def start(self) -> None:
        """Start it and return once it answers."""
        user, password = self._account
        own = {"SIMULATOR_USER": user, "SIMULATOR_PASSWORD": password}
        process = Process(self.name, self._command, log=self.log, environment={**os.environ, **own}, folder=CHECKOUT)
        self._process = process
        end = time.monotonic() + START_LIMIT
        while process.alive and time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError, OSError):
                await self.ping()
                return
            await asyncio.sleep(0.05)
        why = _why(process)
        process.kill()
        raise NotStarted(f"{self.name} did not start: {why} (log: {self.log})")

    async def stop(self, *, grace: float = 4.0) -> None:
        """Ask it to end."""
        if self._process is not None:
            await self._process.stop(grace=grace)
            self._process = None

    def kill(self) -> None:
        """Kill it as a crash would."""
        if self._process is not None:
            self._process.kill()

    async def ping(self) -> None:
        """Raise when it does not answer."""
        # Nothing is encrypted here, and reading the system's certificates would take longer than all the rest.
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PING_LIMIT) as client:  # noqa: S501
            answer = await client.get(f"http://{self.address}/mo-phong/song")
        if answer.is_error:
            raise OSError(f"{self.name} answers {answer.status_code}")


def _why(process: Process) -> str:
    return process.last_words()[-600:] or "it said nothing"
