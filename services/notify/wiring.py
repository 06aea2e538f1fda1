"""Composition root of notify: settings in, a running app out."""

from contextlib import AsyncExitStack

from iocedu.notify.v1.notify_pb2_grpc import add_InboxServiceServicer_to_server

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database, open_database
from chassis.operations import OperationsServicer
from chassis.scopes import Scopes
from chassis.server import App, Check
from chassis.tail import Tail
from services.notify.consumers import alerts_consumer
from services.notify.servicer import InboxServicer
from services.notify.settings import Settings


async def build(settings: Settings, resources: AsyncExitStack) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    database = await resources.enter_async_context(open_database(settings.database_url, application="notify"))
    bus = await resources.enter_async_context(Bus.connect(settings.nats_url, "notify"))
    return assemble(database, bus, Scopes(bus), clock=Clock())


def assemble(database: Database, bus: Bus, scopes: Scopes, *, clock: Clock) -> App:
    """Join the rooms over what is open."""
    tail = Tail.of("notify", database)
    listening = alerts_consumer(database, bus, scopes, clock=clock, wake=tail.wake)
    return App(
        servicers=[(add_InboxServiceServicer_to_server, InboxServicer(database, clock=clock, tail=tail))],
        service_names=["iocedu.notify.v1.InboxService"],
        workers=[listening, tail.worker],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        operations=OperationsServicer(database, {listening.name: listening.handle}),
    )
