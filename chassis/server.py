"""Runs a service: settings, telemetry, the gRPC server with its chain, workers, readiness, and one order of stopping.

Stopping: NOT_SERVING → no more events are pulled and streams say goodbye → calls under way end → the outbox drains →
what `build` opened is closed in reverse → telemetry is flushed. A worker that dies stops the process with status 1.
"""

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
import structlog
import uvloop
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from iocedu.chassis.v1 import operations_pb2_grpc

from chassis import telemetry
from chassis.access import rule_of
from chassis.clients import MOST_MESSAGE_BYTES
from chassis.clock import Clock
from chassis.disclosures import Note
from chassis.health import Readiness, remove_ready_file
from chassis.identity import Verifier
from chassis.interceptors import Chain
from chassis.keyring import Keyring
from chassis.reflection import add_reflection
from chassis.scopes import Scopes
from chassis.settings import DatabaseSettings, ServiceSettings, SettingsError, SettingsT, load_settings
from chassis.workers import Check, Worker

__all__ = ["AddToServer", "App", "Check", "Command", "Worker", "run", "serving"]

OPERATIONS_NAME = "iocedu.chassis.v1.OperationsService"
OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.so_reuseport", 0),  # Else two fleets can silently share a port.
    ("grpc.max_send_message_length", MOST_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
    # Connections end now and then, so that clients look at DNS again and find new replicas.
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 300_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

log = structlog.get_logger(__name__)

AddToServer = Callable[[Any, Any], None]


@dataclass(frozen=True)
class App:
    """An assembled service, as `build` hands it over. The server adds the workers and checks of `scopes` and `keyring`
    itself.
    """

    servicers: Sequence[tuple[AddToServer, object]]
    service_names: Sequence[str]  # Full proto names, for health and reflection.
    workers: Sequence[Worker] = ()
    checks: Sequence[Check] = ()
    scopes: Scopes | None = None
    # Writes down what was shown; every service has one that has a method which reveals personal data.
    note: Note | None = None
    keyring: Keyring | None = None  # Of subjects who sign their own tokens; None: nobody does.
    operations: Any = None  # Answers iocedu.chassis.v1.OperationsService.


class ListenError(Exception):
    """The address to listen on cannot be had; the message is one line for an operator."""


@dataclass
class _Running:
    address: str
    readiness: Readiness
    died: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Command:
    """Something an operator can have a service do besides serving: `python -m services.<service> <name>`."""

    name: str
    help: str
    # Given the settings and what was typed; returns the exit status.
    run: Callable[[Any, AsyncExitStack, argparse.Namespace], Awaitable[int]]
    options: Callable[[argparse.ArgumentParser], None] | None = None  # Says what may be typed behind the name.
    settings: type[DatabaseSettings] | None = None  # What it needs where that is less than to serve: no key, no page.


def run(
    service: str,
    build: Callable[[SettingsT, AsyncExitStack], Awaitable[App]],
    settings_type: type[SettingsT],
    *,
    commands: Sequence[Command] = (),
) -> None:
    """The command of a service: serves, or with `migrate [--phase pre|post|all]` brings its database up to date.

    `commands` are further ones, each run instead of serving.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {settings_type.__module__.rpartition('.')[0]}")
    parsers = parser.add_subparsers(dest="command")
    migrate = parsers.add_parser("migrate", help="apply pending migrations")
    migrate.add_argument("--phase", choices=["pre", "post", "all"], default="all")
    for command in commands:
        below = parsers.add_parser(command.name, help=command.help)
        if command.options is not None:
            command.options(below)
    arguments = parser.parse_args()
    try:
        if arguments.command == "migrate":
            _migrate(settings_type, phase=arguments.phase)
            return
        chosen = next((command for command in commands if command.name == arguments.command), None)
        if chosen is not None and chosen.settings is not None:
            bare = load_settings(chosen.settings, tolerated=settings_type)
            status = uvloop.run(_execute(chosen, bare, arguments))
        else:
            settings = load_settings(settings_type)
            status = uvloop.run(
                _observed(service, chosen, settings, arguments) if chosen else _serve(service, build, settings)
            )
    except (SettingsError, ListenError) as error:
        sys.stderr.write(f"{service}: {error}\n")
        status = 2
    except OSError as error:  # A key file that cannot be read, a database that is not there to migrate.
        about = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sys.stderr.write(f"{service}: {about}\n")
        status = 2
    sys.exit(status)


@asynccontextmanager
async def serving(
    service: str, app: App, settings: ServiceSettings, *, ready_within: float = 15.0, clock: Clock | None = None
) -> AsyncIterator[str]:
    """Serve until the block ends; yields `host:port` once ready, raises TimeoutError naming what never became ready."""
    async with _running(service, app, settings, clock=clock) as running:
        try:
            async with asyncio.timeout(ready_within):
                await running.readiness.ready.wait()
        except TimeoutError:
            raise TimeoutError(f"{service} is not ready: {running.readiness.failing}") from None
        yield running.address


async def _serve(
    service: str, build: Callable[[SettingsT, AsyncExitStack], Awaitable[App]], settings: SettingsT
) -> int:
    flush = telemetry.setup(service, settings, serves=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as resources:
            building = asyncio.ensure_future(build(settings, resources))
            if not await _before(stop, building):
                return 0
            _spare_the_collector()
            async with _running(service, building.result(), settings) as running:
                await _first_of(stop, running.died)
                log.info("stopping", action="server.stopping", died=running.died.is_set())
        return 1 if running.died.is_set() else 0
    finally:
        flush()


async def _observed(service: str, command: Command, settings: ServiceSettings, arguments: argparse.Namespace) -> int:
    flush = telemetry.setup(service, settings, serves=False)
    try:
        return await _execute(command, settings, arguments)
    finally:
        flush()


async def _execute(command: Command, settings: DatabaseSettings, arguments: argparse.Namespace) -> int:
    async with AsyncExitStack() as resources:
        return await command.run(settings, resources, arguments)


@asynccontextmanager
async def _running(
    service: str, app: App, settings: ServiceSettings, *, clock: Clock | None = None
) -> AsyncIterator[_Running]:
    telemetry.ensure_trace_ids()
    stopping, drained = asyncio.Event(), asyncio.Event()
    verifier = Verifier(
        jwks=settings.jwks,
        issuer=settings.issuer,
        audience=settings.audience,
        longest_life=settings.longest_token_seconds,
        keyring=app.keyring,
    )
    chain = Chain(service=service, verifier=verifier, scopes=app.scopes, stopping=stopping, clock=clock, note=app.note)
    server = grpc.aio.server(interceptors=[chain], options=OPTIONS)
    names = [*app.service_names, *([OPERATIONS_NAME] if app.operations else [])]
    workers, checks = _with_followers(app)
    if app.operations:
        workers.append(app.operations.pruner(kept=timedelta(days=settings.dead_letters_kept_days)))
    checks.append(Check("keys", verifier.ping))
    if app.note is None and (revealing := _revealing(names)):
        raise TypeError(f"{revealing} reveals personal data, but nothing here writes that down")
    readiness = Readiness(names, checks)
    for add, servicer in app.servicers:
        add(servicer, server)
    if app.operations:
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(app.operations, server)
    health_pb2_grpc.add_HealthServicer_to_server(readiness.servicer, server)
    if settings.reflection:
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        add_reflection(server, [*names, health_name], descriptors=settings.reflection_descriptors)
    running = _Running(_bind(server, settings.listen), readiness)
    await readiness.start()
    await server.start()
    log.info("listening", action="server.listening", address=running.address)
    first = [_supervise(worker, stopping, running) for worker in workers if not worker.drains]
    last = [_supervise(worker, drained, running) for worker in workers if worker.drains]
    watching = asyncio.ensure_future(readiness.watch(address=running.address, ready_file=settings.ready_file))
    try:
        yield running
    finally:
        watching.cancel()
        await asyncio.wait({watching})
        await readiness.stop()
        remove_ready_file(settings.ready_file)
        stopping.set()
        await asyncio.gather(_ended(first, settings.grace_seconds), server.stop(settings.grace_seconds))
        drained.set()
        await _ended(last, settings.grace_seconds)
        log.info("stopped", action="server.stopped")


def _revealing(names: Sequence[str]) -> str:
    """A method of these services that reveals personal data; empty: there is none."""
    for name in names:
        service = descriptor_pool.Default().FindServiceByName(name)
        for method in service.methods_by_name:
            rule = rule_of(f"/{name}/{method}")
            if rule is not None and rule.reveals_personal_data:
                return f"{name}/{method}"
    return ""


def _with_followers(app: App) -> tuple[list[Worker], list[Check]]:
    """The workers and checks of a service with those of what it follows in the broker."""
    workers, checks = list(app.workers), list(app.checks)
    for followed in (app.scopes, app.keyring):
        if followed and followed.follows and followed.worker not in workers:
            workers.append(followed.worker)
        if followed and followed.check not in checks:
            checks.append(followed.check)
    return workers, checks


def _bind(server: grpc.aio.Server, listen: str) -> str:
    host, _, wanted = listen.rpartition(":")
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {listen}: the port is taken or not ours to use") from error
    if port == 0 or wanted not in ("0", str(port)):
        raise ListenError(f"cannot listen on {listen}: got port {port}")
    return f"{host}:{port}"


def _supervise(worker: Worker, stop: asyncio.Event, running: _Running) -> asyncio.Task[None]:
    async def supervised() -> None:
        try:
            await worker.run(stop)
            if stop.is_set():
                return
            log.error("worker ended", action="worker.died", worker=worker.name)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("worker failed", action="worker.died", worker=worker.name)
        running.died.set()

    return asyncio.create_task(supervised(), name=worker.name)


async def _ended(tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Wait for workers that were told to stop; cancel those that take too long."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        log.warning("worker cancelled", action="worker.cancelled", worker=task.get_name())
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=1)


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()


def _spare_the_collector() -> None:
    """Keep the garbage collector from looking at every row of a batch, and at what was made at start, again and again.

    Requests make thousands of tuples that die at once; without this the collector takes a tenth of a bulk request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _before(stop: asyncio.Event, building: asyncio.Future[App]) -> bool:
    """Whether the service was built before the process was told to stop; a build cut short is cancelled."""
    stopped = asyncio.ensure_future(stop.wait())
    both: set[asyncio.Future[Any]] = {stopped, building}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if building.done():
        building.result()
        return True
    building.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await building
    return False


def _migrate(settings_type: type[ServiceSettings], *, phase: Any) -> None:
    from chassis.migrations_env import migrate  # noqa: PLC0415 (Alembic is not for a serving process)

    settings = load_settings(DatabaseSettings, tolerated=settings_type)
    spec = find_spec(settings_type.__module__.rpartition(".")[0])
    if spec is None or spec.origin is None:
        raise SettingsError("the service's package cannot be found")
    applied = asyncio.run(migrate(settings.database_url, str(Path(spec.origin).parent / "migrations"), phase))
    sys.stdout.write("".join(f"{revision}\n" for revision in applied) or "nothing to apply\n")
