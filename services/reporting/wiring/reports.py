"""Joins the rooms of statistical reports: forms, campaigns, reports, exports, briefs, and the timers behind them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from iocedu.reporting.v1.brief_pb2_grpc import add_BriefServiceServicer_to_server
from iocedu.reporting.v1.campaigns_pb2_grpc import add_CampaignsServiceServicer_to_server
from iocedu.reporting.v1.exports_pb2_grpc import add_ExportsServiceServicer_to_server
from iocedu.reporting.v1.extracts_pb2_grpc import add_ExtractsServiceServicer_to_server
from iocedu.reporting.v1.forms_pb2_grpc import add_FormsServiceServicer_to_server
from iocedu.reporting.v1.pivots_pb2_grpc import add_PivotsServiceServicer_to_server
from iocedu.reporting.v1.reports_pb2_grpc import add_ReportsServiceServicer_to_server

from chassis.clock import Clock
from chassis.database import Database
from chassis.disclosures import Note
from chassis.scopes import Scopes
from chassis.workers import Worker
from services.reporting.clients import SchoolLocks
from services.reporting.convert.rules import report_rules
from services.reporting.jobs.reports import looking
from services.reporting.servicer.brief import BriefServicer
from services.reporting.servicer.campaigns import CampaignsServicer
from services.reporting.servicer.exports import ExportsServicer
from services.reporting.servicer.extracts import ExtractsServicer
from services.reporting.servicer.forms import FormsServicer
from services.reporting.servicer.pivots import PivotsServicer
from services.reporting.servicer.places import UnitsToday
from services.reporting.servicer.reports import ReportsServicer
from services.reporting.usecases.analysing import Analyses
from services.reporting.usecases.briefing import Briefing
from services.reporting.usecases.exporting import Exporter
from services.reporting.usecases.extracting import Extracts
from services.reporting.usecases.filling import Filler
from services.reporting.usecases.locking import do_tasks
from services.reporting.usecases.pivots import Pivots
from services.reporting.usecases.querying import Questions
from services.reporting.usecases.reading import Reading
from services.reporting.usecases.reminding import remind
from services.reporting.usecases.reports import Steps
from services.reporting.usecases.telling import Teller
from services.reporting.usecases.telling_targets import TellingTargets

LOCKING_SECONDS, EXPORTING_SECONDS, REMINDING_SECONDS, PRUNING_SECONDS = 0.5, 1.0, 2.0, 600.0
KEEPING_SECONDS, SCHEDULING_SECONDS, TARGETS_SECONDS = 60.0, 5.0, 5.0


@dataclass(frozen=True)
class Parts:
    """What the app gains."""

    servicers: list[tuple[Callable[..., None], Any]]
    service_names: list[str]
    workers: list[Worker]


def report_parts(
    database: Database,
    questions: Questions,
    scopes: Scopes,
    clock: Clock,
    *,
    note: Note,
    records: grpc.aio.Channel | None,
) -> Parts:
    """The servicers and timers of reports."""
    rules = report_rules()
    units = UnitsToday(scopes, clock)
    teller = Teller(scopes, clock, rules)
    reading = Reading(database, Filler(questions, scopes, clock))
    kept = Pivots(Analyses(questions), scopes, clock)
    extracts = Extracts(questions, scopes, clock, teller)
    exporter = Exporter(
        database,
        reading,
        questions.catalogue,
        scopes,
        clock,
        kept_days=rules.export_kept_days,
        pivots=kept,
        extracts=extracts,
        teller=teller,
    )

    briefing = Briefing(database, questions, scopes, clock, rules.brief_indicators)
    targets = TellingTargets(database, questions, scopes, clock)

    async def reminding() -> int:
        async with database.transaction() as connection:
            return await remind(connection, teller, clock)

    async def scheduling() -> int:
        async with database.transaction() as connection:
            return await kept.begin_due(connection)

    workers = [
        looking("schedules", scheduling, every_seconds=SCHEDULING_SECONDS),
        looking("reminders", reminding, every_seconds=REMINDING_SECONDS),
        looking("exports", exporter.look, every_seconds=EXPORTING_SECONDS),
        looking("daily figures", briefing.keep, every_seconds=KEEPING_SECONDS, ready=lambda: scopes.known),
        looking("targets", targets.look, every_seconds=TARGETS_SECONDS, ready=lambda: scopes.known),
        looking("pruning", exporter.prune, every_seconds=PRUNING_SECONDS),
    ]
    if records is not None:
        locks = SchoolLocks(records)
        workers.append(
            looking("locks", lambda: do_tasks(database, locks, clock, teller), every_seconds=LOCKING_SECONDS)
        )
    services = (
        "FormsService",
        "CampaignsService",
        "ReportsService",
        "ExportsService",
        "ExtractsService",
        "BriefService",
        "PivotsService",
    )
    return Parts(
        servicers=[
            (add_FormsServiceServicer_to_server, FormsServicer(database, units, questions.catalogue)),
            (add_CampaignsServiceServicer_to_server, CampaignsServicer(database, units, teller)),
            (
                add_ReportsServiceServicer_to_server,
                ReportsServicer(database, units, reading, Steps(scopes, clock, teller)),
            ),
            (add_ExportsServiceServicer_to_server, ExportsServicer(database, units, reading, exporter)),
            (add_ExtractsServiceServicer_to_server, ExtractsServicer(database, units, extracts, note)),
            (add_PivotsServiceServicer_to_server, PivotsServicer(database, units, kept)),
            (add_BriefServiceServicer_to_server, BriefServicer(units, briefing)),
        ],
        service_names=[f"iocedu.reporting.v1.{name}" for name in services],
        workers=workers,
    )
