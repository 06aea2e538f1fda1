"""An embedded PostgreSQL 18 in a folder of its own, reached over 127.0.0.1 with a password.

Runs for root too, inside a user namespace where it is an ordinary user (or as `nobody` where namespaces are refused).
Refuses a folder made by another major version, and to outlive the process that started it.
"""

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import asyncpg
import psutil

from deploy.local.databases import ensure_owned
from deploy.local.engines.binaries import postgres_bin
from deploy.local.engines.secrets import secret
from deploy.local.errors import NotStarted
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import PING_LIMIT, Process, User, command_of

POSTGRES_MAJOR = 18
SUPERUSER = "postgres"
START_LIMIT = 60.0
PREDECESSOR_LIMIT = 10.0
# A killed server's children hold its shared memory a moment longer; a free port may be taken before it is used.
PASSING = ("pre-existing shared memory block", "could not bind IPv4 address", "postmaster.pid")

# For a laptop of two cores shared with nine other processes; the durable settings (fsync, synchronous_commit,
# full_page_writes) stay as they are unless the caller gives up durability for a test.
TUNING = {
    "shared_buffers": "1GB",
    "effective_cache_size": "6GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "temp_buffers": "64MB",
    "max_connections": "200",
    "wal_buffers": "64MB",
    "min_wal_size": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "64",
    "max_parallel_workers_per_gather": "1",
    "jit": "off",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a %d ",
    "log_min_duration_statement": "1s",
    "log_lock_waits": "on",
    "idle_in_transaction_session_timeout": "5min",
}
SMALL = {"shared_buffers": "128MB", "wal_buffers": "4MB", "min_wal_size": "80MB", "max_wal_size": "1GB"}
# Commits still reach the operating system before they are answered: a killed server loses nothing, a power cut may.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


@functools.cache
def server_user() -> User:
    """How PostgreSQL, which refuses to run as root, is run by this user."""
    if os.geteuid() != 0:
        return "same"
    probe = subprocess.run(command_of(["true"], user="mapped"), capture_output=True, check=False, timeout=20)
    return "mapped" if probe.returncode == 0 else "nobody"


class Postgres:
    """One server; `small` and `fsync=False` make it quick to start and throw away, for tests."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        fsync: bool = True,
        small: bool = False,
        log: Path | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = log or self.folder / "postgres.log"
        self._fsync = fsync
        self._settings = TUNING | (SMALL if small else {}) | ({} if fsync else NOT_DURABLE)
        self._choose_port = port == 0
        self._process: Process | None = None

    @property
    def data(self) -> Path:
        """The folder PostgreSQL itself manages."""
        return self.folder / "data"

    @property
    def process(self) -> Process | None:
        """The running server, if it was started."""
        return self._process

    def url(self, database: str = SUPERUSER, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """The address of a database, with the superuser's password unless another user is named."""
        key = password if password is not None else secret(self.folder / "password")
        return f"postgresql://{user}:{key}@{LOOPBACK}:{self.port}/{database}"

    async def start(self) -> None:
        """Create the cluster if there is none, start it and return once it answers. NotStarted says why it cannot."""
        self._check_version()
        server_user()  # asked here, so that a refused namespace is known before anything is written
        end = time.monotonic() + START_LIMIT
        if not (self.data / "PG_VERSION").exists():
            await self._create()
        await self._wait_for_predecessor()
        while True:
            if self._choose_port and not self.port:
                self.port = free_port()
            self._process = self._spawn()
            if await self._answers(end):
                return
            words = self._process.last_words(3)
            if self._process.alive or time.monotonic() > end or not any(passing in words for passing in PASSING):
                await self.stop()
                raise NotStarted(f"PostgreSQL did not start: {words or 'no answer'} (log: {self.log})")
            if self._choose_port and "could not bind" in words:
                self.port = 0
            await asyncio.sleep(0.2)

    async def stop(self, *, grace: float = 8.0) -> None:
        """A fast shutdown: open transactions are rolled back, a checkpoint is written."""
        if self._process is not None:
            await self._process.stop(grace=grace, number=signal.SIGINT)
            self._process = None

    def kill(self) -> None:
        """Kill the server as a crash would; the next start recovers from the write-ahead log."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    async def ping(self) -> None:
        """Raise when the server does not answer a query."""
        await self.execute("SELECT 1")

    async def execute(self, *statements: str, database: str = SUPERUSER) -> None:
        """Run statements as the superuser, each in its own transaction."""
        connection = await asyncpg.connect(self.url(database), timeout=PING_LIMIT)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def ensure_database(self, name: str) -> str:
        """The address of a database owned by a user of the same name who reaches no other; both are made if missing."""
        password = secret(self.folder / f"password-{name}")
        await ensure_owned(self.url(), name, password)
        return self.url(name, user=name, password=password)

    def _check_version(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = (self.data / "PG_VERSION").read_text("ascii").strip()
            if found != str(POSTGRES_MAJOR):
                raise NotStarted(
                    f"{self.data} was made by PostgreSQL {found}, this is {POSTGRES_MAJOR}: "
                    "choose another folder with IOCEDU_DATA=<folder>, or move this one away"
                )

    async def _create(self) -> None:
        """Make the cluster beside its place and move it there whole, so that an interrupted start leaves no half."""
        self.folder.mkdir(parents=True, exist_ok=True)
        secret(self.folder / "password")
        draft = self.folder / "data.new"
        await asyncio.to_thread(_remove, draft)
        draft.mkdir(mode=0o700)
        reader = self.folder / "password"
        if server_user() == "nobody":
            for path in (draft, reader):
                os.chown(path, 65534, 65534)
        process = Process(
            "initdb",
            [
                postgres_bin() / "initdb",
                f"--pgdata={draft}",
                f"--username={SUPERUSER}",
                f"--pwfile={reader}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--locale=C.UTF-8",
                "--no-instructions",
                *([] if self._fsync else ["--no-sync"]),
            ],
            log=self.log,
            environment=_environment(),
            user=server_user(),
            folder=self.folder,
        )
        try:
            if not await process.wait(START_LIMIT) or process.returncode != 0:
                raise NotStarted(f"PostgreSQL cannot create its folder {self.data}: {_reason(process)}{_hint(process)}")
        finally:
            process.kill()
        draft.rename(self.data)

    async def _wait_for_predecessor(self) -> None:
        """Let a server whose parent has just died finish; a pid file whose process is another program is stale."""
        pid_file = self.data / "postmaster.pid"
        end = time.monotonic() + PREDECESSOR_LIMIT
        while (pid := _owner(pid_file, self.data)) is not None:
            if time.monotonic() > end:
                raise NotStarted(f"another PostgreSQL (process {pid}) runs in {self.data}: stop it (make down)")
            await asyncio.sleep(0.1)
        pid_file.unlink(missing_ok=True)

    def _spawn(self) -> Process:
        settings = self._settings | {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "logging_collector": "off",
        }
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return Process(
            "postgres",
            [postgres_bin() / "postgres", "-D", self.data, *options],
            log=self.log,
            environment=_environment(),
            user=server_user(),
            death_signal=signal.SIGINT,
            folder=self.folder,
        )

    async def _answers(self, end: float) -> bool:
        assert self._process is not None
        while self._process.alive and time.monotonic() < end:
            with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await self.ping()
                return self._process.alive
            await asyncio.sleep(0.05)
        return False


def _environment() -> dict[str, str]:
    """Nothing of the caller's locale or PG* variables: they would change what the server does."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _reason(process: Process) -> str:
    """What initdb said, preferring the line of the error over the farewell."""
    text = process.last_words(30)
    for line in text.split(" | "):
        if "error:" in line or "FATAL" in line or "No space" in line or "cannot" in line or "denied" in line:
            return line
    return text[-300:] or "no answer"


def _hint(process: Process) -> str:
    """What to do where root has neither a namespace nor a folder that `nobody` may enter."""
    if server_user() != "nobody" or "denied" not in process.last_words(30):
        return ""
    return " (it refuses to run as root, and this machine refuses user namespaces: run as an ordinary user)"


def _owner(pid_file: Path, data: Path) -> int | None:
    """The live PostgreSQL that holds `data`, if any."""
    try:
        pid = int(pid_file.read_text("ascii").split("\n", 1)[0])
        command = psutil.Process(pid).cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return pid if str(data) in command else None


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
