"""Composition root of notify: settings in, a running app out."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import httpx
from iocedu.notify.v1.announcements_pb2_grpc import add_AnnouncementsServiceServicer_to_server
from iocedu.notify.v1.channels_pb2_grpc import add_ChannelsServiceServicer_to_server
from iocedu.notify.v1.deliveries_pb2_grpc import add_DeliveriesServiceServicer_to_server
from iocedu.notify.v1.my_announcements_pb2_grpc import add_MyAnnouncementsServiceServicer_to_server
from iocedu.notify.v1.notify_pb2_grpc import add_InboxServiceServicer_to_server
from iocedu.notify.v1.receipts_pb2_grpc import add_ReceiptsServiceServicer_to_server

from chassis import outbox
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database, open_database
from chassis.keyring import Keyring
from chassis.operations import OperationsServicer
from chassis.scopes import Scopes
from chassis.server import AddToServer, App, Check
from chassis.settings import SettingsError
from chassis.tail import Tail
from services.notify.clients.email import MailServer
from services.notify.clients.sms import Provider, SmsGateway
from services.notify.clients.webhooks import WebhookSender
from services.notify.consumers import alerts_consumer, connections_consumer, erasures_consumer, requests_consumers
from services.notify.convert.rules import Speech, load_channel_rules, load_file_rules, load_speech
from services.notify.domain.channels import Channel, ChannelRules
from services.notify.jobs import AnnouncementTimer, Dispatcher, attachment_sweeper
from services.notify.servicer.announcements import AnnouncementsServicer
from services.notify.servicer.bounces import bounce_intake
from services.notify.servicer.channels import ChannelsServicer, House
from services.notify.servicer.deliveries import DeliveriesServicer
from services.notify.servicer.frame import Frame
from services.notify.servicer.inbox import InboxServicer
from services.notify.servicer.my_announcements import MyAnnouncementsServicer
from services.notify.servicer.receipts import ReceiptsServicer
from services.notify.settings import Settings
from services.notify.store.objects import Objects
from services.notify.usecases.ways import ByMail, BySms, ByWebhook, NotSetUp, Way

PACKAGE = "iocedu.notify.v1"


async def build(settings: Settings, resources: AsyncExitStack) -> App:
    """Assemble the service. Whatever is opened here is closed in reverse order."""
    opened = open_database(settings.database_url, most=settings.database_connections, application="notify")
    database = await resources.enter_async_context(opened)
    connected = Bus.connect(settings.nats_url, "notify", replicas=settings.nats_replicas)
    bus = await resources.enter_async_context(connected)
    client = await resources.enter_async_context(httpx.AsyncClient(trust_env=False))
    return assemble(database, bus, Scopes(bus), clock=Clock(), outward=outward(settings, client))


@dataclass(frozen=True)
class Outward:
    """What settings say: what leads out beside the inbox, and how long and how much is kept.

    A channel without a server gives up what it is handed.
    """

    public_url: str
    rules: Mapping[Channel, ChannelRules]
    most_webhooks: int
    speech: Speech
    sender: WebhookSender
    mail: MailServer | None = None
    sms: SmsGateway | None = None
    bounce_domain: str = ""
    bounce_listen: str = ""
    kept: timedelta = timedelta(days=180)
    most_attached: int = 4 * 1024**3
    attached_kept: timedelta = timedelta(days=730)

    @property
    def set_up(self) -> list[Channel]:
        """Channels to addresses for which there is a server."""
        servers = {Channel.EMAIL: self.mail, Channel.SMS: self.sms}
        return [channel for channel, server in servers.items() if server is not None]

    def ways(self, database: Database) -> dict[Channel, Way]:
        """The adapter of each channel."""
        url = self.public_url
        return {
            Channel.EMAIL: ByMail(self.mail, self.speech, url) if self.mail else NotSetUp(Channel.EMAIL),
            Channel.SMS: BySms(self.sms, self.speech, url) if self.sms else NotSetUp(Channel.SMS),
            Channel.WEBHOOK: ByWebhook(self.sender, database.connection, url),
        }


def outward(settings: Settings, client: httpx.AsyncClient) -> Outward:
    """What settings name. Raises SettingsError for a file that cannot be used."""
    try:
        rules, most_webhooks = load_channel_rules(settings.channel_rules_file)
        provider = Provider.read(settings.sms_provider_file) if settings.sms_provider_file else None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"a file of channels cannot be used: {error}") from error
    return Outward(
        public_url=settings.public_url.rstrip("/"),
        rules=rules,
        most_webhooks=most_webhooks,
        speech=load_speech(),
        sender=WebhookSender(client, private_allowed=settings.webhook_private_allowed),
        mail=MailServer(settings.smtp_url, sender=settings.smtp_from, bounce_domain=settings.bounce_domain)
        if settings.smtp_url
        else None,
        sms=SmsGateway(provider, client) if provider else None,
        bounce_domain=settings.bounce_domain,
        bounce_listen=settings.bounce_listen,
        kept=timedelta(days=settings.deliveries_kept_days),
        most_attached=settings.attachments_most_bytes,
        attached_kept=timedelta(days=settings.attachments_kept_days),
    )


def assemble(database: Database, bus: Bus, scopes: Scopes, *, clock: Clock, outward: Outward) -> App:
    """Join the rooms over what is open."""
    tail = Tail.of("notify", database)
    timer = AnnouncementTimer(database, scopes, clock, wake=tail.wake)
    dispatcher = Dispatcher(database, clock, outward.ways(database), outward.rules, kept=outward.kept, wake=tail.wake)

    def wake() -> None:
        tail.wake()
        timer.ask()

    listening = [
        alerts_consumer(database, bus, scopes, clock=clock, wake=tail.wake),
        *requests_consumers(database, bus, scopes, clock=clock, wake=tail.wake),
        connections_consumer(database, bus),
        erasures_consumer(database, bus, scopes, clock=clock, wake=tail.wake),
    ]
    frame = Frame(database, scopes, clock, wake)
    objects = Objects(bus, most_bytes=outward.most_attached)
    sweeper = attachment_sweeper(database, clock, objects, kept=outward.attached_kept)
    house = House(
        outward.rules,
        outward.most_webhooks,
        outward.speech,
        outward.public_url,
        outward.set_up,
        outward.sms.provider if outward.sms else None,
    )
    returning = (
        bounce_intake(frame, house, domain=outward.bounce_domain, listen=outward.bounce_listen)
        if outward.bounce_domain and outward.bounce_listen
        else None
    )
    servicers: dict[str, tuple[AddToServer, object]] = {
        "InboxService": (
            add_InboxServiceServicer_to_server,
            InboxServicer(database, clock=clock, tail=tail),
        ),
        "AnnouncementsService": (
            add_AnnouncementsServiceServicer_to_server,
            AnnouncementsServicer(frame, objects, load_file_rules()),
        ),
        "ReceiptsService": (add_ReceiptsServiceServicer_to_server, ReceiptsServicer(frame)),
        "MyAnnouncementsService": (
            add_MyAnnouncementsServiceServicer_to_server,
            MyAnnouncementsServicer(frame, objects),
        ),
        "ChannelsService": (
            add_ChannelsServiceServicer_to_server,
            ChannelsServicer(frame, house, outward.sender),
        ),
        "DeliveriesService": (add_DeliveriesServiceServicer_to_server, DeliveriesServicer(frame)),
    }
    return App(
        servicers=list(servicers.values()),
        service_names=[f"{PACKAGE}.{name}" for name in servicers],
        workers=[
            *listening,
            timer.worker,
            *dispatcher.workers,
            *([returning] if returning else []),
            sweeper,
            tail.worker,
            outbox.relay(database, bus, "notify"),
        ],
        checks=[Check("database", database.ping), Check("nats", bus.ping)],
        scopes=scopes,
        keyring=Keyring(bus),
        operations=OperationsServicer(database, {one.name: one.handle for one in listening}),
    )
