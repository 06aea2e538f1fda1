"""Composition root of sync: settings in, a running app out."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import httpx
from iocedu.sync.v1.coverage_pb2_grpc import add_CoverageServiceServicer_to_server
from iocedu.sync.v1.destinations_pb2_grpc import add_DestinationsServiceServicer_to_server
from iocedu.sync.v1.imports_pb2_grpc import add_ImportsServiceServicer_to_server
from iocedu.sync.v1.partners_pb2_grpc import add_PartnersServiceServicer_to_server
from iocedu.sync.v1.quarantine_pb2_grpc import add_QuarantineServiceServicer_to_server
from iocedu.sync.v1.reconciliation_pb2_grpc import add_ReconciliationServiceServicer_to_server
from iocedu.sync.v1.sync_pb2_grpc import add_SyncServiceServicer_to_server

from chassis import clients, outbox
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database, open_database
from chassis.disclosures import Disclosures
from chassis.identity import ServiceIdentity
from chassis.keyring import Keyring
from chassis.operations import OperationsServicer
from chassis.scope_tree import EVERY_UNIT
from chassis.scopes import Scopes
from chassis.server import App, Check
from services.sync import jobs
from services.sync.clients.grants import Grants
from services.sync.clients.records import Records
from services.sync.clients.sandboxes import Sandboxes
from services.sync.consumers import consumers
from services.sync.convert.profiles import load_profiles
from services.sync.convert.rules import load_coverage, load_rules, load_weekdays
from services.sync.convert.sheets.specification import load_sheets
from services.sync.domain.destinations import Destination, ExchangeForm, Kind, new_destination
from services.sync.domain.tables import TableProfile
from services.sync.servicer import (
    CoverageServicer,
    DestinationsServicer,
    ImportsServicer,
    PartnersServicer,
    QuarantineServicer,
    ReconciliationServicer,
    SyncServicer,
)
from services.sync.servicer.key_set import key_page
from services.sync.settings import Settings
from services.sync.usecases.coverage import Coverage
from services.sync.usecases.documents import Limits
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.opening import remove_left_folders
from services.sync.usecases.intake import Intake
from services.sync.usecases.outlets import MINISTRY, Outlets, ministry_of
from services.sync.usecases.partners import Partners
from services.sync.usecases.pushing import Pushing
from services.sync.usecases.settling import Ledger

SERVICE = "sync"
MEGABYTE = 1_000_000


async def build(settings: Settings, resources: AsyncExitStack, *, clock: Clock | None = None) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    clock = clock or Clock()
    opened = open_database(settings.database_url, most=settings.database_connections, application=SERVICE)
    database = await resources.enter_async_context(opened)
    connected = Bus.connect(settings.nats_url, SERVICE, replicas=settings.nats_replicas)
    bus = await resources.enter_async_context(connected)
    identity = ServiceIdentity(SERVICE, settings.service_key_file, issuer=settings.issuer, audience=settings.audience)
    channel = await clients.channel(settings.records_address, service_identity=identity)
    await resources.enter_async_context(channel)
    scopes = Scopes(bus)
    records = Records(channel)
    intake = Intake(database, Ledger(database, scopes, clock), records, scopes, clock, load_profiles(), load_rules())
    pushing = await _pushing(settings, resources, database, scopes, clock)
    profile = intake.profiles["moet"]
    assert isinstance(profile, TableProfile), "the ministry's names are a table"
    await asyncio.to_thread(remove_left_folders)
    office = Office(intake, profile, load_sheets(), settings.file_limit_mb * MEGABYTE)
    judge = Coverage(database, scopes, clock, load_coverage(), load_weekdays())
    partners = Partners(database, bus, scopes, clock, Grants(channel))
    listening = consumers(database, bus, clock, scopes)
    limits = Limits(ndjson=settings.document_limit_mb * MEGABYTE, json=settings.json_limit_mb * MEGABYTE)
    return App(
        servicers=[
            (add_SyncServiceServicer_to_server, SyncServicer(intake, limits=limits)),
            (add_DestinationsServiceServicer_to_server, DestinationsServicer(pushing)),
            (
                add_ReconciliationServiceServicer_to_server,
                ReconciliationServicer(pushing, department=settings.ministry_department),
            ),
            (add_ImportsServiceServicer_to_server, ImportsServicer(office)),
            (add_QuarantineServiceServicer_to_server, QuarantineServicer(intake, office.sheets)),
            (add_CoverageServiceServicer_to_server, CoverageServicer(judge)),
            (add_PartnersServiceServicer_to_server, PartnersServicer(partners, Sandboxes(channel))),
        ],
        service_names=[
            "iocedu.sync.v1.SyncService",
            "iocedu.sync.v1.ImportsService",
            "iocedu.sync.v1.QuarantineService",
            "iocedu.sync.v1.DestinationsService",
            "iocedu.sync.v1.ReconciliationService",
            "iocedu.sync.v1.CoverageService",
            "iocedu.sync.v1.PartnersService",
        ],
        workers=[
            jobs.connections(intake, every_seconds=settings.connections_seconds),
            jobs.pruner(
                database,
                clock,
                kept=jobs.Kept(
                    batches=timedelta(days=settings.batches_kept_days),
                    quarantined=timedelta(days=settings.quarantined_kept_days),
                    files=timedelta(days=settings.files_kept_days),
                    outcomes=timedelta(days=settings.outcomes_kept_days),
                ),
            ),
            *jobs.importers(office),
            jobs.replayer(intake),
            jobs.coverage_keeper(judge, every_seconds=settings.coverage_seconds),
            jobs.keyring_publisher(partners),
            *([key_page(partners, listen=settings.partner_keys_listen)] if settings.partner_keys_listen else []),
            *listening,
            jobs.follower(pushing, records, _own(settings, clock), every_seconds=settings.feed_seconds),
            *jobs.pushers(pushing, count=settings.push_workers),
            jobs.teller(pushing),
            outbox.relay(database, bus, SERVICE),
        ],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        note=Disclosures(database).note,
        keyring=Keyring(bus),
        operations=OperationsServicer(database, {worker.name: worker.handle for worker in listening}),
    )


async def _pushing(
    settings: Settings, resources: AsyncExitStack, database: Database, scopes: Scopes, clock: Clock
) -> Pushing:
    """What pushing works with: the ways out are opened here. Calls go where they are sent, through no proxy."""
    limits = httpx.Limits(max_connections=4 * max(settings.push_workers, 1))
    http = await resources.enter_async_context(httpx.AsyncClient(limits=limits, trust_env=False))
    ministry = None
    if settings.ministry_url:
        base = httpx.AsyncClient(base_url=settings.ministry_url, limits=limits, trust_env=False)
        password = settings.ministry_password.get_secret_value()
        opened = await resources.enter_async_context(base)
        ministry = ministry_of(opened, user=settings.ministry_user, password=password)
    outlets = Outlets(http, ministry, private_addresses=settings.webhook_private_addresses)
    return Pushing(database, outlets, scopes, clock)


def _own(settings: Settings, clock: Clock) -> list[Destination]:
    """The destinations that settings name."""
    if not settings.ministry_url:
        return []
    ministry = new_destination(
        MINISTRY,
        kind=Kind.MINISTRY,
        display_name=settings.ministry_name,
        endpoint=settings.ministry_url,
        unit_id=EVERY_UNIT,
        calls_per_second=settings.ministry_calls_per_second,
        at=clock.now(),
    )
    return [replace(ministry, form=ExchangeForm[settings.ministry_form.upper()])]
