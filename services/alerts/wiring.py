"""Composition root of alerts: settings in, a running app out."""

from contextlib import AsyncExitStack
from datetime import date

from iocedu.alerts.v1.alerts_pb2_grpc import add_AlertsServiceServicer_to_server
from iocedu.alerts.v1.handling_pb2_grpc import add_HandlingServiceServicer_to_server
from iocedu.alerts.v1.insight_pb2_grpc import add_InsightServiceServicer_to_server
from iocedu.alerts.v1.rules_pb2_grpc import add_RulesServiceServicer_to_server

from chassis import outbox
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database, open_database
from chassis.disclosures import Disclosures
from chassis.keyring import Keyring
from chassis.operations import OperationsServicer
from chassis.scope_tree import ScopeTree
from chassis.scopes import Scopes
from chassis.server import App, Check
from chassis.tail import Tail
from services.alerts.consumers import consumers
from services.alerts.convert.tables import early_warning, school_week
from services.alerts.domain.calendar import SchoolCalendar
from services.alerts.jobs import Keeping, measurer, pruner, timer
from services.alerts.servicer import AlertsServicer, Desk, HandlingServicer, InsightServicer, RulesServicer
from services.alerts.settings import Settings
from services.alerts.usecases.moment import Moment

LEVEL = "level:"  # Prefix of the labels by which schools of the same level know each other.
NAMES = ("AlertsService", "RulesService", "HandlingService", "InsightService")


async def build(settings: Settings, resources: AsyncExitStack) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    opened = open_database(settings.database_url, most=settings.database_connections, application="alerts")
    database = await resources.enter_async_context(opened)
    connected = Bus.connect(settings.nats_url, "alerts", replicas=settings.nats_replicas)
    bus = await resources.enter_async_context(connected)
    return assemble(
        database,
        bus,
        Scopes(bus),
        clock=Clock(),
        timer_seconds=settings.timer_seconds,
        keeping=Keeping(settings.history_days, settings.resolved_days),
    )


def assemble(
    database: Database,
    bus: Bus,
    scopes: Scopes,
    *,
    clock: Clock,
    timer_seconds: float,
    keeping: Keeping | None = None,
) -> App:
    """Join the rooms over what is open."""
    week = school_week()

    def unit_name(unit_id: int) -> str:
        unit = scopes.tree.unit(unit_id)
        return unit.name if unit else f"#{unit_id}"

    def kind(unit_id: int) -> str:
        unit = scopes.tree.unit(unit_id)
        return unit.kind if unit else ""

    def subtree(unit_id: int) -> frozenset[int]:
        return scopes.tree.subtree(unit_id, clock.today())

    def placed() -> frozenset[tuple[int, tuple[int, ...]]]:
        tree, today = scopes.tree, clock.today()
        return frozenset((unit.unit_id, tree.ancestors(unit.unit_id, today)) for unit in tree.units(today))

    def calendar(unit_id: int, day: date) -> SchoolCalendar:
        return SchoolCalendar(scopes.tree.open_days(unit_id, day, weekdays=week.weekdays), week.report_by)

    def moment() -> Moment:
        today = clock.today()
        return Moment(
            now=clock.now(),
            today=today,
            unit_name=unit_name,
            contains=lambda above, below: scopes.tree.contains(above, below, today),
            above=lambda unit_id: scopes.tree.ancestors(unit_id, today),
            below=subtree,
            kind=kind,
            peers=lambda unit_id: _peers(scopes.tree, unit_id, today),
            years=lambda unit_id: scopes.tree.years(unit_id, today),
            calendar=lambda unit_id: calendar(unit_id, today),
        )

    tail = Tail.of("alerts", database)
    desk = Desk(database, scopes, clock=clock, tail=tail, unit_name=unit_name, moment=moment)
    listening = consumers(database, bus, moment=moment, wake=tail.wake, reading=early_warning())
    return App(
        servicers=[
            (add_AlertsServiceServicer_to_server, AlertsServicer(desk)),
            (add_RulesServiceServicer_to_server, RulesServicer(desk)),
            (add_HandlingServiceServicer_to_server, HandlingServicer(desk)),
            (add_InsightServiceServicer_to_server, InsightServicer(desk)),
        ],
        service_names=[f"iocedu.alerts.v1.{name}" for name in NAMES],
        workers=[
            *listening,
            timer(
                database,
                moment=moment,
                wake=tail.wake,
                every_seconds=timer_seconds,
                subtree=subtree,
                calendars=lambda: scopes.tree.calendars,
                placed=placed,
            ),
            measurer(database),
            pruner(database, moment=moment, keeping=keeping or Keeping()),
            tail.worker,
            outbox.relay(database, bus, "alerts"),
        ],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        note=Disclosures(database).note,
        keyring=Keyring(bus),
        operations=OperationsServicer(database, {worker.name: worker.handle for worker in listening}),
    )


def _peers(tree: ScopeTree, unit_id: int, today: date) -> list[int]:
    """The units of its kind and levels under the same parent, with itself."""
    own = tree.unit(unit_id)
    if own is None:
        return []
    levels = {label for label in own.labels if label.startswith(LEVEL)}
    beside = [child for parent in tree.parents(unit_id, today)[:1] for child in tree.children(parent, today)]
    return [
        one.unit_id
        for child in beside
        if (one := tree.unit(child)) is not None
        and one.kind == own.kind
        and {label for label in one.labels if label.startswith(LEVEL)} == levels
    ]
