"""The composition root: settings into a running service, or into a command beside it. What is opened is closed."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from iocedu.records.v1 import (
    access_log_pb2_grpc,
    access_pb2_grpc,
    assessment_pb2_grpc,
    attendance_pb2_grpc,
    calendar_pb2_grpc,
    data_requests_pb2_grpc,
    erasures_pb2_grpc,
    export_pb2_grpc,
    held_records_pb2_grpc,
    history_pb2_grpc,
    holdings_pb2_grpc,
    locks_pb2_grpc,
    persons_pb2_grpc,
    profiles_pb2_grpc,
    records_pb2_grpc,
    sandboxes_pb2_grpc,
    search_pb2_grpc,
    sources_pb2_grpc,
    transfers_pb2_grpc,
    unit_operations_pb2_grpc,
    units_pb2_grpc,
)

from chassis import outbox
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import open_database
from chassis.disclosures import Shown
from chassis.keyring import Keyring
from chassis.operations import OperationsServicer
from chassis.scopes import Scopes
from chassis.server import App, Command
from chassis.settings import DatabaseSettings
from chassis.workers import Check
from services.records import jobs
from services.records.consumers import consumers
from services.records.convert.rules import load_assessment_rules
from services.records.convert.shown import reading_of
from services.records.domain.sealing import Anchor, Head
from services.records.jobs import ScopePublisher, eraser, linker, pruner, retainer, sealer, transfer_clock
from services.records.servicer import (
    AccessLogServicer,
    AccessServicer,
    AssessmentServicer,
    AttendanceServicer,
    CalendarServicer,
    DataRequestsServicer,
    ErasuresServicer,
    ExportServicer,
    GrantsServicer,
    HeldRecordsServicer,
    HistoryServicer,
    HoldingsServicer,
    LocksServicer,
    PersonsServicer,
    ProfilesServicer,
    RecordsServicer,
    SandboxesServicer,
    SearchServicer,
    SourcesServicer,
    TransfersServicer,
    UnitOperationsServicer,
    UnitsServicer,
)
from services.records.settings import AuditSettings, Settings
from services.records.store.anchors import Anchors
from services.records.usecases.changes import feed_tip, stamp_changes
from services.records.usecases.exporting import Exports
from services.records.usecases.lookups import Lookups

SERVICE = "records"


async def build(settings: Settings, resources: AsyncExitStack, *, clock: Clock | None = None) -> App:
    """Assemble the service."""
    clock = clock or Clock()
    opened = open_database(settings.database_url, most=settings.database_connections, application=SERVICE)
    database = await resources.enter_async_context(opened)
    connected = Bus.connect(settings.nats_url, SERVICE, replicas=settings.nats_replicas)
    bus = await resources.enter_async_context(connected)
    scopes = Scopes(bus)
    publisher = ScopePublisher(database, bus, clock, administrators=settings.administrator_subjects)
    tip = feed_tip(database)
    lookups = Lookups(database)
    rules = load_assessment_rules()
    listening = consumers(database, bus, clock)

    async def note(shown: Shown) -> None:
        await lookups.note(reading_of(shown, service=SERVICE))

    records = RecordsServicer(database, scopes, clock, lookups=lookups, tip=tip)
    return App(
        servicers=[
            (records_pb2_grpc.add_RecordsServiceServicer_to_server, records),
            (
                search_pb2_grpc.add_SearchServiceServicer_to_server,
                SearchServicer(database, scopes, clock, lookups=lookups),
            ),
            (
                units_pb2_grpc.add_UnitsServiceServicer_to_server,
                UnitsServicer(database, clock, changed=publisher.wake),
            ),
            (
                unit_operations_pb2_grpc.add_UnitOperationsServiceServicer_to_server,
                UnitOperationsServicer(database, scopes, clock, changed=publisher.wake),
            ),
            (
                units_pb2_grpc.add_GrantsServiceServicer_to_server,
                GrantsServicer(database, scopes, clock, changed=publisher.wake),
            ),
            (
                access_pb2_grpc.add_AccessServiceServicer_to_server,
                AccessServicer(
                    database,
                    scopes,
                    clock,
                    administrators=settings.administrator_subjects,
                    changed=publisher.wake,
                ),
            ),
            (
                persons_pb2_grpc.add_PersonsServiceServicer_to_server,
                PersonsServicer(database, scopes, clock, lookups=lookups, rules=rules),
            ),
            (
                history_pb2_grpc.add_HistoryServiceServicer_to_server,
                HistoryServicer(database, scopes, clock, lookups=lookups),
            ),
            (
                held_records_pb2_grpc.add_HeldRecordsServiceServicer_to_server,
                HeldRecordsServicer(database, scopes, clock, lookups=lookups),
            ),
            (
                access_log_pb2_grpc.add_AccessLogServiceServicer_to_server,
                AccessLogServicer(database, scopes, clock, lookups=lookups),
            ),
            (
                data_requests_pb2_grpc.add_DataRequestsServiceServicer_to_server,
                DataRequestsServicer(database, scopes, clock, lookups=lookups),
            ),
            (
                erasures_pb2_grpc.add_ErasuresServiceServicer_to_server,
                ErasuresServicer(database, scopes, clock, lookups=lookups),
            ),
            (
                export_pb2_grpc.add_ExportServiceServicer_to_server,
                ExportServicer(Exports(database), scopes, clock, lookups=lookups),
            ),
            (holdings_pb2_grpc.add_HoldingsServiceServicer_to_server, HoldingsServicer(database, scopes, clock)),
            (
                calendar_pb2_grpc.add_CalendarServiceServicer_to_server,
                CalendarServicer(database, scopes, clock, changed=publisher.wake),
            ),
            (
                transfers_pb2_grpc.add_TransfersServiceServicer_to_server,
                TransfersServicer(database, scopes, clock, lookups=lookups),
            ),
            (
                profiles_pb2_grpc.add_ProfilesServiceServicer_to_server,
                ProfilesServicer(database, scopes, clock, lookups=lookups),
            ),
            (locks_pb2_grpc.add_LocksServiceServicer_to_server, LocksServicer(database, scopes, clock)),
            (
                sandboxes_pb2_grpc.add_SandboxesServiceServicer_to_server,
                SandboxesServicer(database, clock, changed=publisher.wake),
            ),
            (sources_pb2_grpc.add_SourcesServiceServicer_to_server, SourcesServicer(database, scopes, clock)),
            (
                assessment_pb2_grpc.add_AssessmentServiceServicer_to_server,
                AssessmentServicer(database, scopes, clock, lookups=lookups, rules=rules),
            ),
            (
                attendance_pb2_grpc.add_AttendanceServiceServicer_to_server,
                AttendanceServicer(database, scopes, clock, lookups=lookups, rules=rules),
            ),
        ],
        service_names=[
            "iocedu.records.v1.RecordsService",
            "iocedu.records.v1.SearchService",
            "iocedu.records.v1.PersonsService",
            "iocedu.records.v1.ExportService",
            "iocedu.records.v1.UnitsService",
            "iocedu.records.v1.UnitOperationsService",
            "iocedu.records.v1.GrantsService",
            "iocedu.records.v1.AccessService",
            "iocedu.records.v1.HoldingsService",
            "iocedu.records.v1.LocksService",
            "iocedu.records.v1.SourcesService",
            "iocedu.records.v1.SandboxesService",
            "iocedu.records.v1.AssessmentService",
            "iocedu.records.v1.AttendanceService",
            "iocedu.records.v1.HistoryService",
            "iocedu.records.v1.HeldRecordsService",
            "iocedu.records.v1.AccessLogService",
            "iocedu.records.v1.DataRequestsService",
            "iocedu.records.v1.CalendarService",
            "iocedu.records.v1.TransfersService",
            "iocedu.records.v1.ProfilesService",
            "iocedu.records.v1.ErasuresService",
        ],
        workers=[
            publisher.worker,
            linker(database, clock),
            eraser(database, clock),
            retainer(database, clock),
            *listening,
            pruner(
                database,
                clock,
                answers_kept=timedelta(days=settings.answers_kept_days),
                brought_kept=timedelta(days=settings.brought_kept_days),
            ),
            transfer_clock(database, scopes, clock),
            sealer(database, Anchors(bus), anchor_seconds=settings.access_anchor_seconds),
            tip.worker,
            outbox.relay(database, bus, SERVICE, stamp=stamp_changes),
        ],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        note=note,
        keyring=Keyring(bus),
        operations=OperationsServicer(database, {worker.name: worker.handle for worker in listening}),
    )


async def verify_access_log(settings: AuditSettings, resources: AsyncExitStack, arguments: Namespace) -> int:
    """Check the access log, with the anchors given and, where a broker is named, with all that it holds."""
    database = await resources.enter_async_context(open_database(settings.database_url, application="verify"))
    anchors = None
    if settings.nats_url:
        anchors = Anchors(await resources.enter_async_context(Bus.connect(settings.nats_url, "verify")))
    return await jobs.verify_access_log(
        database,
        anchors,
        given=arguments.anchor,
        since=arguments.since,
        anchor_seconds=settings.access_anchor_seconds,
    )


async def rebuild_persons(settings: DatabaseSettings, resources: AsyncExitStack, _arguments: Namespace) -> int:
    """Let the projection of persons be built anew."""
    return await jobs.rebuild_persons(await resources.enter_async_context(open_database(settings.database_url)))


def _verify_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--anchor",
        type=_anchor,
        action="append",
        default=[],
        metavar="PLACE:HASH",
        help="compare with this anchor, as the service's log tells it; may be given several times",
    )
    parser.add_argument(
        "--since",
        type=_instant,
        metavar="INSTANT",
        help="leave out the broker's anchors of before, as after the database was restored: 2026-11-20T03:00:00Z",
    )


def _anchor(text: str) -> Anchor:
    place, _, digest = text.partition(":")
    try:
        return Anchor(Head(int(place), bytes.fromhex(digest)), datetime.max.replace(tzinfo=UTC))
    except ValueError:
        raise ArgumentTypeError("an anchor is its place, a colon and its hash in hexadecimal digits") from None


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("an instant is written as 2026-11-20T03:00:00Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


async def retain(settings: DatabaseSettings, resources: AsyncExitStack, arguments: Namespace) -> int:
    """Let go what is kept no longer, or only say what would."""
    database = await resources.enter_async_context(open_database(settings.database_url))
    return await jobs.report_retention(database, Clock(), dry_run=arguments.dry_run)


def _retain_options(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


COMMANDS = (
    Command(
        "retain",
        "let go what is kept no longer, by the rules in force today",
        retain,
        options=_retain_options,
        settings=DatabaseSettings,
    ),
    Command(
        "rebuild-persons",
        "read all records again and bring persons into line, while serving",
        rebuild_persons,
        settings=DatabaseSettings,
    ),
    Command(
        "verify-access-log",
        "check the chain of the access log and its anchors",
        verify_access_log,
        options=_verify_options,
        settings=AuditSettings,
    ),
)
