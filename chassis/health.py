"""Readiness: the standard health service, and the loop that asks every dependency and turns it on and off.

Starts as NOT_SERVING. Under the name `liveness` it always answers SERVING, since answering is what that asks: no probe
of it ever asks a dependency.
"""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from chassis.workers import Check

CHECK_SECONDS = 5.0  # Between two rounds while ready; a failing service is asked more often.
RETRY_SECONDS = 0.2
PING_SECONDS = 3.0
LIVENESS = "liveness"  # The service name that startup and liveness probes ask for.

log = structlog.get_logger(__name__)


class Readiness:
    """Knows whether the process can serve, and tells so by the health service and the ready file."""

    def __init__(self, service_names: Sequence[str], checks: Sequence[Check]) -> None:
        self.servicer = HealthServicer()
        self.ready = asyncio.Event()
        self.failing: dict[str, str] = {check.name: "not asked yet" for check in checks}
        self._names = ["", *service_names]
        self._checks = checks
        self._said: dict[str, str] = {}

    async def start(self) -> None:
        """Say NOT_SERVING for every name, before the port is open."""
        await self._say(serving=False)
        await self.servicer.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)

    async def watch(self, *, address: str, ready_file: Path | None) -> None:
        """Ask all dependencies again and again until cancelled."""
        while True:
            self.failing = await self._ask()
            if not self.failing and not self.ready.is_set():
                await self._say(serving=True)
                if ready_file:
                    write_ready_file(ready_file, address)
                self.ready.set()
                log.info("ready", action="server.ready", address=address)
            elif self.failing and self.failing != self._said:
                log.warning("not ready", action="server.not_ready", failing=self.failing)
                if self.ready.is_set():
                    self.ready.clear()
                    await self._say(serving=False)
            self._said = self.failing
            await asyncio.sleep(RETRY_SECONDS if self.failing else CHECK_SECONDS)

    async def stop(self) -> None:
        """Say NOT_SERVING for good."""
        await self.servicer.enter_graceful_shutdown()

    async def _ask(self) -> dict[str, str]:
        failing: dict[str, str] = {}
        for check in self._checks:
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await check.ping()
            except Exception as error:  # noqa: BLE001 (whatever a dependency raises, it is not there)
                failing[check.name] = f"{type(error).__name__}: {error}"[:200]
        return failing

    async def _say(self, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self.servicer.set(name, status)


def write_ready_file(path: Path, address: str) -> None:
    """Write the address in one step, so that a reader never sees half of it."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_text(f"{address}\n", encoding="utf-8")
    half.replace(path)


def remove_ready_file(path: Path | None) -> None:
    """Take the address back."""
    if path:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
