"""Composition root of reporting: settings in, a running app out; also the commands an operator has besides serving."""

from argparse import Namespace
from contextlib import AsyncExitStack

import grpc
from iocedu.reporting.v1.analysis_pb2_grpc import add_AnalysisServiceServicer_to_server
from iocedu.reporting.v1.bases_pb2_grpc import add_BasesServiceServicer_to_server
from iocedu.reporting.v1.figure_records_pb2_grpc import add_FigureRecordsServiceServicer_to_server
from iocedu.reporting.v1.reporting_pb2_grpc import add_ReportingServiceServicer_to_server

from chassis import clients, outbox
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database, open_database
from chassis.disclosures import Disclosures
from chassis.identity import ServiceIdentity
from chassis.keyring import Keyring
from chassis.operations import OperationsServicer
from chassis.scopes import Scopes
from chassis.server import App, Check, Command
from chassis.settings import SettingsError
from services.reporting import jobs
from services.reporting.clients import ChangeFeed, ShownRecords
from services.reporting.consumers import SERVICE, consumers
from services.reporting.domain.catalogue import Catalogue
from services.reporting.servicer import ReportingServicer
from services.reporting.servicer.analysis import AnalysisServicer
from services.reporting.servicer.bases import BasesServicer
from services.reporting.servicer.recorded import FigureRecordsServicer
from services.reporting.settings import Settings
from services.reporting.store.catalogue import load_catalogue
from services.reporting.store.mirror import Mirror
from services.reporting.usecases.analysing import Analyses
from services.reporting.usecases.explaining import Explanations
from services.reporting.usecases.places import Divider
from services.reporting.usecases.querying import Questions
from services.reporting.usecases.recorded import FigureRecords
from services.reporting.usecases.series import SeriesQuestions
from services.reporting.usecases.watching import Pulse
from services.reporting.wiring.reports import report_parts


async def build(settings: Settings, resources: AsyncExitStack) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    opened = open_database(settings.database_url, most=settings.database_connections, application=SERVICE)
    database = await resources.enter_async_context(opened)
    connected = Bus.connect(settings.nats_url, SERVICE, replicas=settings.nats_replicas)
    bus = await resources.enter_async_context(connected)
    records: grpc.aio.Channel | None = None
    if settings.records_address:
        identity = _identity(settings)
        records = await resources.enter_async_context(
            await clients.channel(settings.records_address, service_identity=identity)
        )
    return assemble(database, bus, Scopes(bus), load_catalogue(), clock=Clock(), records=records)


def assemble(
    database: Database,
    bus: Bus,
    scopes: Scopes,
    catalogue: Catalogue,
    *,
    clock: Clock,
    records: grpc.aio.Channel | None = None,
) -> App:
    """Join the rooms over what is open. Without a channel to records the locks of approvals wait."""
    questions = Questions(catalogue, Mirror(database), Divider(), clock=clock)
    pulse = Pulse(questions, scopes, clock)
    listening = consumers(database, bus)
    note = Disclosures(database).note
    reports = report_parts(database, questions, scopes, clock, note=note, records=records)
    return App(
        servicers=[
            (add_ReportingServiceServicer_to_server, ReportingServicer(questions, pulse, scopes, clock)),
            (
                add_AnalysisServiceServicer_to_server,
                AnalysisServicer(
                    Analyses(questions), SeriesQuestions(questions), Explanations(questions), scopes, clock
                ),
            ),
            (
                add_FigureRecordsServiceServicer_to_server,
                FigureRecordsServicer(
                    FigureRecords(Explanations(questions), ShownRecords(records) if records is not None else None),
                    scopes,
                    clock,
                ),
            ),
            (add_BasesServiceServicer_to_server, BasesServicer(database, catalogue, scopes, clock)),
            *reports.servicers,
        ],
        service_names=[
            "iocedu.reporting.v1.ReportingService",
            "iocedu.reporting.v1.AnalysisService",
            "iocedu.reporting.v1.FigureRecordsService",
            "iocedu.reporting.v1.BasesService",
            *reports.service_names,
        ],
        workers=[*listening, jobs.pulse_worker(pulse), *reports.workers, outbox.relay(database, bus, SERVICE)],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        note=note,
        keyring=Keyring(bus),
        operations=OperationsServicer(database, {worker.name: worker.handle for worker in listening}),
    )


async def verify(settings: Settings, resources: AsyncExitStack, _arguments: Namespace) -> int:
    """Compare every figure with a recount."""
    return await jobs.verify(await resources.enter_async_context(open_database(settings.database_url)))


async def rebuild(settings: Settings, resources: AsyncExitStack, _arguments: Namespace) -> int:
    """Rebuild the projections from records' change feed."""
    if not settings.records_address:
        raise SettingsError("IOCEDU_RECORDS_ADDRESS is missing: a rebuild reads the change feed of records")
    database = await resources.enter_async_context(open_database(settings.database_url))
    identity = _identity(settings)
    channel = await clients.channel(settings.records_address, service_identity=identity)
    await resources.enter_async_context(channel)
    return await jobs.rebuild(database, ChangeFeed(channel))


def _identity(settings: Settings) -> ServiceIdentity:
    return ServiceIdentity(SERVICE, settings.service_key_file, issuer=settings.issuer, audience=settings.audience)


COMMANDS = (
    Command("verify", "compare all figures with a recount of the facts", verify),
    Command("rebuild", "rebuild the projections from records' change feed, while serving", rebuild),
)
