"""The whole platform as processes of this machine: engines, services and edge, started in order and kept running.

The command line and the end-to-end tests use this one class. Refuses to be half started: when a part does not come
up, what did is stopped again and NotStarted says why.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.local import databases
from deploy.local.engines import Envoy, Nats, Postgres, envoy_bin, nats_bin, postgres_bin
from deploy.local.engines.nats import check_reachable
from deploy.local.errors import NotStarted
from deploy.local.folder import DataFolder
from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from deploy.local.migrate import migrate_all
from deploy.local.parts import Part, ServicePart, SimulatorPart
from deploy.local.ports import LOOPBACK, check_port, free_port
from deploy.local.processes import turn_over
from deploy.local.settings import PREFIX, FleetSettings
from deploy.local.slots import Slot, State
from deploy.local.table import SERVICES, Service, Simulator, Wires, environment, simulators_of

Progress = Callable[[str, float], None]  # what was done, and the seconds it took

POSTGRES, NATS, GATEWAY = "postgres", "nats", "gateway"
WATCH_INTERVAL, PING_INTERVAL = 0.1, 5.0
EDGE_GRACE, SERVICE_GRACE, ENGINE_GRACE = 1.0, 4.5, 3.5


class Fleet:
    """One fleet in one folder; `port=0` takes a free public port.

    `durable=False` is quick to start and may forget at a power cut; `on_change` hears of every new state of a part.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: FleetSettings | None = None,
        services: Sequence[Service] = SERVICES,
        replicas: Mapping[str, int] | None = None,
        port: int = 0,
        edge: bool = True,
        durable: bool = True,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = DataFolder(folder)
        self.port = port or free_port()
        self.settings = replace(settings or FleetSettings(), data=self.folder.path, port=self.port)
        self.services = tuple(services)
        self._on_change = on_change
        self._replicas = dict(replicas or {})
        self._edge = edge
        self._durable = durable
        self._slots: dict[str, Slot] = {}
        self._watch: asyncio.Task[None] | None = None
        self._issuer: Issuer | None = None
        self.addresses = {service.name: f"{LOOPBACK}:{free_port()}" for service in self.services}
        self.pages = {one.name: f"{LOOPBACK}:{free_port()}" for one in simulators_of(self.services, self.settings)}
        self.simulators = {one.name: f"{LOOPBACK}:{free_port()}" for one in simulators_of(self.services, self.settings)}
        self.partner_keys = f"{LOOPBACK}:{free_port()}"
        self.bounces = f"{LOOPBACK}:{free_port()}"
        self.databases: dict[str, str] = {}

    @property
    def gateway(self) -> str:
        """The public host:port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def issuer(self) -> Issuer:
        """Mints tokens this fleet accepts."""
        if self._issuer is None:
            self._issuer = Issuer(self.folder.keys, services=[service.name for service in self.services])
        return self._issuer

    @property
    def nats_url(self) -> str:
        """The broker of this fleet."""
        nats = self._slots.get(NATS)
        return nats.part.url if nats is not None and isinstance(nats.part, Nats) else self.settings.nats_url

    def describe(self) -> list[dict[str, Any]]:
        """Every part, in the order of start."""
        return [slot.describe() for slot in self._slots.values()]

    def check(self) -> None:
        """Whatever can be known before anything is started; NotStarted names the first thing that is wrong."""
        if self._edge:
            check_port(self.port, setting="IOCEDU_PORT")
            envoy_bin()
        if self._needs_postgres:
            postgres_bin()
        if not self.settings.nats_url:
            nats_bin()
        self.folder.open()

    async def start(self, progress: Progress = lambda _what, _seconds: None) -> None:
        """Start everything and return once all of it serves; `progress` hears each step and how long it took."""
        self.check()
        try:
            await self._start_engines(progress)
            await self._start_services(progress)
        except BaseException as failed:
            await self.stop()
            if self._edge and isinstance(failed, NotStarted):  # Another fleet may have taken its port meanwhile.
                check_port(self.port, setting="IOCEDU_PORT")
            raise
        self._watch = asyncio.create_task(self._keep_running())

    async def stop(self) -> None:
        """Stop everything in reverse order, within ten seconds; what does not end is killed."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        slots = list(self._slots.values())
        # Written out while services still finish, so that the server's own last checkpoint is short.
        checkpoint = asyncio.create_task(self._checkpoint())
        await _stop([slot for slot in slots if slot.name == GATEWAY], grace=EDGE_GRACE)
        await _stop([slot for slot in slots if isinstance(slot.part, ServicePart | SimulatorPart)], grace=SERVICE_GRACE)
        checkpoint.cancel()
        await asyncio.gather(checkpoint, return_exceptions=True)
        await _stop([slot for slot in slots if slot.name in (POSTGRES, NATS)], grace=ENGINE_GRACE)

    async def kill(self, name: str) -> None:
        """Kill one part as a crash would, and leave it dead until `restart`."""
        await self._slots[name].kill()

    async def restart(self, name: str) -> None:
        """Start a killed or running part anew; returns once it serves."""
        await self._slots[name].stop(grace=SERVICE_GRACE)
        await self._slots[name].start()

    def slot(self, name: str) -> Slot:
        """One part: `postgres`, `nats`, `gateway`, a service, or `<service>-2` for its second copy."""
        return self._slots[name]

    @property
    def _needs_postgres(self) -> bool:
        own = all("DATABASE_URL" in self.settings.own.get(service.name, {}) for service in self.services)
        return not own and not self.settings.postgres_url

    def _add(self, name: str, part: Part, *, address: str, metrics: str = "") -> Slot:
        log = self.folder.log(name)
        slot = Slot(name, part, address=address, log=log, on_change=self._on_change, metrics=metrics)
        self._slots[name] = slot
        return slot

    async def _start_engines(self, progress: Progress) -> None:
        engines: list[Slot] = []
        if self._needs_postgres:
            port = free_port()
            postgres = Postgres(
                self.folder.path / "postgres",
                port=port,
                fsync=self._durable,
                small=not self._durable,
                log=self.folder.log(POSTGRES),
            )
            engines.append(self._add(POSTGRES, postgres, address=f"{LOOPBACK}:{port}"))
        if not self.settings.nats_url:
            port = free_port()
            nats = Nats(self.folder.path / "nats", port=port, sync=self._durable, log=self.folder.log(NATS))
            engines.append(self._add(NATS, nats, address=f"{LOOPBACK}:{port}"))
        else:
            await check_reachable(self.settings.nats_url, setting="IOCEDU_NATS_URL")
        await _all(_start(slot, progress) for slot in engines)

    async def _start_services(self, progress: Progress) -> None:
        self.databases = await self._ensure_databases()
        wires = Wires(
            self.databases,
            self.nats_url,
            self.addresses,
            self.issuer,
            self.simulators,
            self.partner_keys,
            self.bounces,
        )
        copies = [self._add_simulator(one) for one in simulators_of(self.services, self.settings)]
        copies += [slot for service in self.services for slot in self._add_service(service, wires)]
        began = time.monotonic()
        folders = {service.name: service.migrations for service in self.services}
        known = {name: folder for name, folder in folders.items() if folder is not None}
        if known:
            await migrate_all(self.databases, known, log=self.folder.log("migrations"))
        progress("databases", time.monotonic() - began)
        # All at once: each is ready only when what it needs is, in whatever order they come up.
        if self._edge:
            self._write_edge()
            envoy = Envoy(self.folder.path / "gateway" / "envoy.json", log=self.folder.log(GATEWAY))
            copies.append(self._add(GATEWAY, envoy, address=self.gateway))
        await _all(_start(slot, progress) for slot in copies)

    def _add_simulator(self, one: Simulator) -> Slot:
        address = self.pages[one.name] if one.smtp else self.simulators[one.name]
        part = SimulatorPart(
            one.name,
            one.command,
            address=address,
            folder=self.folder.path / one.name,
            account=(one.user, one.password),
            arguments=("--smtp", self.simulators[one.name], "--bounces", self.bounces) if one.smtp else (),
            log=self.folder.log(one.name),
        )
        return self._add(one.name, part, address=address)

    def _add_service(self, service: Service, wires: Wires) -> list[Slot]:
        """One slot per copy; only the first is called by others, the rest share its queues and timers."""
        slots = []
        for number in range(1, self._replicas.get(service.name, 1) + 1):
            name = service.name if number == 1 else f"{service.name}-{number}"
            listen = self.addresses[service.name] if number == 1 else f"{LOOPBACK}:{free_port()}"
            ready_file = self.folder.path / "run" / f"{name}.ready"
            told = environment(
                service,
                # The edge asks the first copy alone for keys, as it does everything else of this machine, and mails
                # come back to the first.
                wires=wires if number == 1 else replace(wires, partner_keys="", bounces=""),
                settings=self.settings,
                listen=listen,
                metrics_listen=f"{LOOPBACK}:{free_port()}",
                ready_file=ready_file,
            )
            part = ServicePart(
                name, service.command, environment=told, ready_file=ready_file, log=self.folder.log(name)
            )
            slots.append(self._add(name, part, address=listen, metrics=told[PREFIX + "METRICS_LISTEN"]))
        return slots

    async def _ensure_databases(self) -> dict[str, str]:
        """The address of each service's database: its own setting, else one made on the fleet's server."""
        slot = self._slots.get(POSTGRES)
        urls: dict[str, str] = {}
        for service in self.services:
            own = self.settings.own.get(service.name, {}).get("DATABASE_URL")
            if own:
                urls[service.name] = own
            elif slot is not None and isinstance(slot.part, Postgres):
                urls[service.name] = await slot.part.ensure_database(service.name)
            else:
                urls[service.name] = await databases.ensure_on(self.settings.postgres_url, f"iocedu_{service.name}")
        return urls

    def _write_edge(self) -> None:
        from gateway.envoy.edge import Edge  # noqa: PLC0415  a fleet without an edge needs none of it
        from gateway.envoy.render import bootstrap  # noqa: PLC0415

        folder = self.folder.path / "gateway"
        folder.mkdir(mode=0o700, exist_ok=True)
        turn_over(self.folder.log("access"))
        edge = Edge(
            listen=self.gateway,
            admin=f"{LOOPBACK}:{free_port()}",
            backends=self.addresses,
            jwks=str(self.issuer.jwks),
            partner_jwks=f"http://{self.partner_keys}/jwks.json" if "sync" in self.addresses else "",
            issuer=ISSUER,
            audience=AUDIENCE,
            otlp=self.settings.otlp_endpoint.removeprefix("http://"),
            access_log=str(self.folder.log("access")),
            home_unit=self.settings.home_unit,
        )
        (folder / "envoy.json").write_text(json.dumps(bootstrap(edge), ensure_ascii=False), "utf-8")

    async def _checkpoint(self) -> None:
        slot = self._slots.get(POSTGRES)
        if slot is not None and isinstance(slot.part, Postgres) and slot.state is State.READY:
            with contextlib.suppress(Exception):  # the shutdown that follows writes what this could not
                await slot.part.execute("CHECKPOINT")

    async def _keep_running(self) -> None:
        """Start again what dies, and ask now and then whether what lives also serves."""
        pinged = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            for slot in self._slots.values():
                slot.watch()
            if time.monotonic() - pinged > PING_INTERVAL:
                await asyncio.gather(*(slot.ping() for slot in self._slots.values()))
                pinged = time.monotonic()


async def _start(slot: Slot, progress: Progress) -> None:
    progress(slot.name, await slot.start())


async def _stop(slots: Iterable[Slot], *, grace: float) -> None:
    await asyncio.gather(*(slot.stop(grace=grace) for slot in slots))


async def _all(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Await all; the first failure ends the rest, which may be waiting for what failed, and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
