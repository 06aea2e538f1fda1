"""An embedded NATS server with JetStream on disk, reached over 127.0.0.1 with a password.

Acknowledges a message only once it is on disk. Refuses messages above 8 MB and connections without the password.
"""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.engines.binaries import nats_bin
from deploy.local.engines.secrets import secret
from deploy.local.errors import NotStarted
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import PING_LIMIT, Process

USER = "iocedu"
MAX_PAYLOAD = 8 * 1024 * 1024
START_LIMIT = 30.0


class Nats:
    """One server; `sync=False` gives up durability against a power cut, for tests."""

    def __init__(self, folder: Path, *, port: int = 0, sync: bool = True, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = log or self.folder / "nats.log"
        self._sync = sync
        self._choose_port = port == 0
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The address with its password."""
        return f"nats://{USER}:{secret(self.folder / 'password')}@{LOOPBACK}:{self.port}"

    @property
    def process(self) -> Process | None:
        """The running server, if it was started."""
        return self._process

    async def start(self) -> None:
        """Start and return once JetStream answers. NotStarted says why it cannot."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        end = time.monotonic() + START_LIMIT
        while True:
            if self._choose_port and not self.port:
                self.port = free_port()
            config = self._write_config()
            self._process = Process("nats", [nats_bin(), "--config", config], log=self.log, folder=self.folder)
            while self._process.alive and time.monotonic() < end:
                with contextlib.suppress(OSError, TimeoutError, ValueError):
                    await self.ping()
                    return
                await asyncio.sleep(0.03)
            words = self._process.last_words()
            if self._process.alive or "address already in use" not in words or not self._choose_port:
                await self.stop()
                raise NotStarted(f"NATS did not start: {words or 'no answer'} (log: {self.log})")
            self.port = 0

    async def stop(self, *, grace: float = 5.0) -> None:
        """End it; stored messages stay."""
        if self._process is not None:
            await self._process.stop(grace=grace)
            self._process = None

    def kill(self) -> None:
        """Kill the server as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    async def ping(self) -> None:
        """Raise when the server does not greet with JetStream."""
        async with asyncio.timeout(PING_LIMIT):
            reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
            try:
                line = await reader.readline()
            finally:
                writer.close()
        greeting = json.loads(line.removeprefix(b"INFO "))
        if not greeting.get("jetstream"):
            raise OSError("the server has no JetStream")

    def _write_config(self) -> Path:
        """Rewritten at each start; holds the password, so only its owner reads it."""
        store = self.folder / "jetstream"
        password = secret(self.folder / "password")
        config = {
            "host": LOOPBACK,
            "port": self.port,
            "max_payload": MAX_PAYLOAD,
            "max_pending": 64 * 1024 * 1024,
            "authorization": {"user": USER, "password": password},
            "jetstream": {
                "store_dir": str(store),
                "max_memory_store": 256 * 1024 * 1024,
                "max_file_store": 32 * 1024 * 1024 * 1024,
                **({"sync_interval": "always"} if self._sync else {}),
            },
        }
        path = self.folder / "nats.conf"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1), "utf-8")
        return path


async def check_reachable(urls: str, *, setting: str) -> None:
    """Raise NotStarted when none of one's own servers, separated by commas, takes a connection."""
    reason = "no address"
    for url in urls.split(","):
        parts = urlsplit(url.strip())
        try:
            async with asyncio.timeout(3):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port or 4222)
        except (OSError, ValueError) as error:
            reason = str(error) or "no answer"
        else:
            writer.close()
            return
    raise NotStarted(f"{setting}: no NATS server can be reached ({reason})")
