"""Composition root of sync: settings in, a running app out."""

from contextlib import AsyncExitStack
from datetime import timedelta

from iocedu.sync.v1.imports_pb2_grpc import add_ImportsServiceServicer_to_server
from iocedu.sync.v1.quarantine_pb2_grpc import add_QuarantineServiceServicer_to_server
from iocedu.sync.v1.sync_pb2_grpc import add_SyncServiceServicer_to_server

from chassis import clients, outbox
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import open_database
from chassis.identity import ServiceIdentity
from chassis.operations import OperationsServicer
from chassis.scopes import Scopes
from chassis.server import App, Check
from services.sync import jobs
from services.sync.clients import Records
from services.sync.consumers import consumers
from services.sync.convert.profiles import load_profiles
from services.sync.convert.rules import load_rules
from services.sync.convert.sheets.specification import load_sheets
from services.sync.domain.tables import TableProfile
from services.sync.servicer import ImportsServicer, QuarantineServicer, SyncServicer
from services.sync.settings import Settings
from services.sync.usecases.documents import Limits
from services.sync.usecases.imports.office import Office
from services.sync.usecases.intake import Intake
from services.sync.usecases.settling import Ledger

SERVICE = "sync"
MEGABYTE = 1_000_000


async def build(settings: Settings, resources: AsyncExitStack, *, clock: Clock | None = None) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    clock = clock or Clock()
    database = await resources.enter_async_context(open_database(settings.database_url, application=SERVICE))
    bus = await resources.enter_async_context(Bus.connect(settings.nats_url, SERVICE))
    identity = ServiceIdentity(SERVICE, settings.service_key_file, issuer=settings.issuer, audience=settings.audience)
    channel = await clients.channel(settings.records_address, service_identity=identity)
    await resources.enter_async_context(channel)
    scopes = Scopes(bus)
    intake = Intake(
        database, Ledger(database, scopes, clock), Records(channel), scopes, clock, load_profiles(), load_rules()
    )
    profile = intake.profiles["moet"]
    assert isinstance(profile, TableProfile), "the ministry's names are a table"
    office = Office(intake, profile, load_sheets(), settings.file_limit_mb * MEGABYTE)
    listening = consumers(database, bus, clock)
    limits = Limits(ndjson=settings.document_limit_mb * MEGABYTE, json=settings.json_limit_mb * MEGABYTE)
    return App(
        servicers=[
            (add_SyncServiceServicer_to_server, SyncServicer(intake, limits=limits)),
            (add_ImportsServiceServicer_to_server, ImportsServicer(office)),
            (add_QuarantineServiceServicer_to_server, QuarantineServicer(intake)),
        ],
        service_names=[f"iocedu.sync.v1.{name}" for name in ("SyncService", "ImportsService", "QuarantineService")],
        workers=[
            jobs.connections(intake, every_seconds=settings.connections_seconds),
            jobs.pruner(
                database,
                clock,
                kept=jobs.Kept(
                    batches=timedelta(days=settings.batches_kept_days),
                    quarantined=timedelta(days=settings.quarantined_kept_days),
                    files=timedelta(days=settings.files_kept_days),
                ),
            ),
            *jobs.importers(office),
            jobs.replayer(intake),
            *listening,
            outbox.relay(database, bus, SERVICE),
        ],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        operations=OperationsServicer(database, {worker.name: worker.handle for worker in listening}),
    )
