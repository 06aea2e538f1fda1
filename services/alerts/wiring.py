"""Composition root of alerts: settings in, a running app out."""

from contextlib import AsyncExitStack

from iocedu.alerts.v1.alerts_pb2_grpc import add_AlertsServiceServicer_to_server

from chassis import outbox
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database, open_database
from chassis.operations import OperationsServicer
from chassis.scopes import Scopes
from chassis.server import App, Check
from chassis.tail import Tail
from services.alerts.consumers import consumers
from services.alerts.jobs import timer
from services.alerts.servicer import AlertsServicer
from services.alerts.settings import Settings
from services.alerts.usecases.evaluate import Moment


async def build(settings: Settings, resources: AsyncExitStack) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    database = await resources.enter_async_context(open_database(settings.database_url, application="alerts"))
    bus = await resources.enter_async_context(Bus.connect(settings.nats_url, "alerts"))
    return assemble(database, bus, Scopes(bus), clock=Clock(), timer_seconds=settings.timer_seconds)


def assemble(database: Database, bus: Bus, scopes: Scopes, *, clock: Clock, timer_seconds: float) -> App:
    """Join the rooms over what is open."""

    def unit_name(unit_id: int) -> str:
        unit = scopes.tree.unit(unit_id)
        return unit.name if unit else f"#{unit_id}"

    def moment() -> Moment:
        return Moment(now=clock.now(), today=clock.today(), unit_name=unit_name)

    tail = Tail.of("alerts", database)
    listening = consumers(database, bus, moment=moment, wake=tail.wake)
    return App(
        servicers=[
            (
                add_AlertsServiceServicer_to_server,
                AlertsServicer(database, scopes, clock=clock, tail=tail, unit_name=unit_name),
            )
        ],
        service_names=["iocedu.alerts.v1.AlertsService"],
        workers=[
            *listening,
            timer(database, moment=moment, wake=tail.wake, every_seconds=timer_seconds),
            tail.worker,
            outbox.relay(database, bus, "alerts"),
        ],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        operations=OperationsServicer(database, {worker.name: worker.handle for worker in listening}),
    )
