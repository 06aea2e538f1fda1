"""Composition root of notify: settings in, a running app out."""

from contextlib import AsyncExitStack

from iocedu.notify.v1.announcements_pb2_grpc import add_AnnouncementsServiceServicer_to_server
from iocedu.notify.v1.my_announcements_pb2_grpc import add_MyAnnouncementsServiceServicer_to_server
from iocedu.notify.v1.notify_pb2_grpc import add_InboxServiceServicer_to_server
from iocedu.notify.v1.receipts_pb2_grpc import add_ReceiptsServiceServicer_to_server

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database, open_database
from chassis.operations import OperationsServicer
from chassis.scopes import Scopes
from chassis.server import App, Check
from chassis.tail import Tail
from services.notify.consumers import alerts_consumer, connections_consumer, requests_consumers
from services.notify.convert.rules import load_file_rules
from services.notify.jobs import AnnouncementTimer
from services.notify.servicer.announcements import AnnouncementsServicer
from services.notify.servicer.frame import Frame
from services.notify.servicer.inbox import InboxServicer
from services.notify.servicer.my_announcements import MyAnnouncementsServicer
from services.notify.servicer.receipts import ReceiptsServicer
from services.notify.settings import Settings
from services.notify.store.objects import Objects

PACKAGE = "iocedu.notify.v1"


async def build(settings: Settings, resources: AsyncExitStack) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    database = await resources.enter_async_context(open_database(settings.database_url, application="notify"))
    bus = await resources.enter_async_context(Bus.connect(settings.nats_url, "notify"))
    return assemble(database, bus, Scopes(bus), clock=Clock())


def assemble(database: Database, bus: Bus, scopes: Scopes, *, clock: Clock) -> App:
    """Join the rooms over what is open."""
    tail = Tail.of("notify", database)
    timer = AnnouncementTimer(database, scopes, clock, wake=tail.wake)

    def wake() -> None:
        tail.wake()
        timer.ask()

    listening = [
        alerts_consumer(database, bus, scopes, clock=clock, wake=tail.wake),
        *requests_consumers(database, bus, scopes, clock=clock, wake=tail.wake),
        connections_consumer(database, bus),
    ]
    frame = Frame(database, scopes, clock, wake)
    objects = Objects(bus)
    return App(
        servicers=[
            (add_InboxServiceServicer_to_server, InboxServicer(database, clock=clock, tail=tail)),
            (
                add_AnnouncementsServiceServicer_to_server,
                AnnouncementsServicer(frame, objects, load_file_rules()),
            ),
            (add_ReceiptsServiceServicer_to_server, ReceiptsServicer(frame)),
            (add_MyAnnouncementsServiceServicer_to_server, MyAnnouncementsServicer(frame, objects)),
        ],
        service_names=[
            f"{PACKAGE}.{name}"
            for name in ("InboxService", "AnnouncementsService", "ReceiptsService", "MyAnnouncementsService")
        ],
        workers=[*listening, timer.worker, tail.worker],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        operations=OperationsServicer(database, {one.name: one.handle for one in listening}),
    )
