"""ChannelsService: how each caller is reached besides the inbox. Whose addresses these are, the token says."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iocedu.notify.v1 import channels_pb2, channels_pb2_grpc

from chassis.errors import Fault, FieldViolation, Kind
from chassis.identity import caller
from chassis.webhooks import AddressRefusedError, NotDeliveredError
from services.notify.clients.sms import Provider
from services.notify.clients.webhooks import WebhookSender
from services.notify.convert.channels import (
    channel_of,
    channels_message,
    contact_of,
    preferences_of,
    webhook_message,
)
from services.notify.convert.messages import cut_sms, sample_values, test_body
from services.notify.convert.rules import Speech
from services.notify.domain.channels import Channel, ChannelRules, Outcome
from services.notify.domain.messages import VARIABLES, filled, one_line, plain, segments, unknown_variables
from services.notify.servicer.frame import Frame
from services.notify.store.contacts import webhook_of
from services.notify.usecases import addresses
from services.notify.usecases import channels as usecases


@dataclass(frozen=True)
class House:
    """How channels behave and speak here."""

    rules: Mapping[Channel, ChannelRules]
    most_webhooks: int
    speech: Speech
    public_url: str
    set_up: Sequence[Channel]  # Channels to addresses for which there is a server.
    provider: Provider | None = None  # Of text messages.


class ChannelsServicer(channels_pb2_grpc.ChannelsServiceServicer):
    """Serves `iocedu.notify.v1.ChannelsService`."""

    def __init__(self, frame: Frame, house: House, sender: WebhookSender) -> None:
        self._frame = frame
        self._house = house
        self._sender = sender

    async def GetMyChannels(
        self, _request: channels_pb2.GetMyChannelsRequest, _context: Any
    ) -> channels_pb2.GetMyChannelsResponse:
        """Give what is kept of the caller."""
        async with self._frame.database.connection() as connection:
            chosen = await usecases.chosen_by(connection, caller().subject)
        return channels_pb2.GetMyChannelsResponse(channels=self._shown(chosen))

    async def UpdateMyChannels(
        self, request: channels_pb2.UpdateMyChannelsRequest, _context: Any
    ) -> channels_pb2.UpdateMyChannelsResponse:
        """Replace what is kept of the caller."""
        async with self._frame.database.transaction() as connection:
            chosen = await usecases.choose(
                connection,
                caller().subject,
                contact_of(request.contact),
                preferences_of(request.preferences),
                rules=self._house.rules,
                set_up=self._house.set_up,
                now=self._frame.clock.now(),
            )
        return channels_pb2.UpdateMyChannelsResponse(channels=self._shown(chosen))

    async def ConfirmAddress(
        self, request: channels_pb2.ConfirmAddressRequest, _context: Any
    ) -> channels_pb2.ConfirmAddressResponse:
        """Confirm an address of the caller by its code; a wrong one is counted before it is refused."""
        subject = caller().subject
        async with self._frame.database.transaction() as connection:
            fault = await addresses.confirm(
                connection,
                subject,
                channel_of(request.channel),
                request.code,
                rules=self._house.rules,
                now=self._frame.clock.now(),
            )
            chosen = await usecases.chosen_by(connection, subject)
        if fault is not None:
            raise fault
        return channels_pb2.ConfirmAddressResponse(channels=self._shown(chosen))

    async def SendAddressCode(
        self, request: channels_pb2.SendAddressCodeRequest, _context: Any
    ) -> channels_pb2.SendAddressCodeResponse:
        """Send another code to an address of the caller."""
        channel = channel_of(request.channel)
        async with self._frame.database.transaction() as connection:
            until = await addresses.send_code(
                connection, caller().subject, channel, set_up=self._house.set_up, now=self._frame.clock.now()
            )
        response = channels_pb2.SendAddressCodeResponse()
        response.expire_time.FromDatetime(until)
        return response

    async def ImportContacts(
        self, request: channels_pb2.ImportContactsRequest, _context: Any
    ) -> channels_pb2.ImportContactsResponse:
        """Bring the addresses of many."""
        given = {one.subject: contact_of(one.contact, language="") for one in request.contacts}
        async with self._frame.database.transaction() as connection:
            count = await usecases.import_contacts(
                connection, given, rules=self._house.rules, now=self._frame.clock.now()
            )
        return channels_pb2.ImportContactsResponse(kept_count=count)

    async def CreateWebhook(
        self, request: channels_pb2.CreateWebhookRequest, _context: Any
    ) -> channels_pb2.CreateWebhookResponse:
        """Register a webhook; its address is checked now, and again before each request to it."""
        try:
            await self._sender.check(request.url)
        except AddressRefusedError as refused:
            vi = "Địa chỉ webhook phải dùng https và dẫn tới một địa chỉ công khai trên Internet."
            raise _address_refused(vi, str(refused)) from refused
        except NotDeliveredError as error:
            vi = "Không tìm thấy tên miền trong địa chỉ webhook. Hãy kiểm tra lại tên, hoặc thử lại sau."
            raise _address_refused(vi, "the name cannot be resolved") from error
        async with self._frame.database.transaction() as connection:
            added = await usecases.add_webhook(
                connection,
                caller().subject,
                request.url,
                most=self._house.most_webhooks,
                rules=self._house.rules,
                now=self._frame.clock.now(),
            )
        return channels_pb2.CreateWebhookResponse(webhook=webhook_message(added), secret=added.secret)

    async def DeleteWebhook(
        self, request: channels_pb2.DeleteWebhookRequest, _context: Any
    ) -> channels_pb2.DeleteWebhookResponse:
        """Remove a webhook."""
        async with self._frame.database.transaction() as connection:
            await usecases.remove_webhook(connection, caller().subject, request.webhook_id, rules=self._house.rules)
        return channels_pb2.DeleteWebhookResponse()

    async def TestWebhook(
        self, request: channels_pb2.TestWebhookRequest, _context: Any
    ) -> channels_pb2.TestWebhookResponse:
        """Send a signed test message now, and say what came of it."""
        async with self._frame.database.connection() as connection:
            webhook = await webhook_of(connection, request.webhook_id)
        if webhook is None or webhook.subject != caller().subject:
            raise usecases.unknown_webhook(request.webhook_id)
        delivery_id = uuid.uuid4()
        result = await self._sender.send(
            delivery_id, url=webhook.url, secret=webhook.secret, body=test_body(delivery_id)
        )
        accepted = result.outcome is Outcome.ACCEPTED
        return channels_pb2.TestWebhookResponse(
            accepted=accepted,
            http_status=result.status,
            detail="" if accepted else result.detail,
            delivery_id=str(delivery_id),
            reason=result.reason,
        )

    async def PreviewMessage(
        self, request: channels_pb2.PreviewMessageRequest, _context: Any
    ) -> channels_pb2.PreviewMessageResponse:
        """Show what a text becomes."""
        language, channel = request.language or "vi", channel_of(request.channel)
        template = self._house.speech.templates.get((channel, language))
        text = request.text or (template.text if template else "")
        unknown = unknown_variables(text)
        if unknown:
            raise _unknown_variable(unknown[0])
        own = {name: said for name, said in (("title", request.title), ("body", request.body)) if said}
        values = {**sample_values(self._house.speech, language, self._house.public_url), **own}
        response = channels_pb2.PreviewMessageResponse(
            subject=one_line(filled(template.subject, values)) if template else "",
            text=filled(text, values),
            variables=VARIABLES,
        )
        if channel is Channel.SMS:
            response.text = self._sms(text, values, without_marks=request.plain)
            cut = segments(response.text)
            response.segment_count, response.encoding = cut.count, cut.encoding
        return response

    def _sms(self, text: str, values: Mapping[str, str], *, without_marks: bool) -> str:
        """An SMS as the provider gets it; nothing is cut where there is none."""
        provider = self._house.provider
        if provider is None:
            shown = filled(text, values)
            return plain(shown) if without_marks else shown
        without_marks = without_marks or provider.without_marks
        return cut_sms(text, values, without_marks=without_marks, most_segments=provider.most_segments)

    def _shown(self, chosen: usecases.Chosen) -> channels_pb2.Channels:
        return channels_message(
            chosen.contact, chosen.preferences, chosen.webhooks, rules=self._house.rules, set_up=self._house.set_up
        )


def _address_refused(vi: str, why: str) -> Fault:
    en = f"The webhook's address cannot be used: {why}."
    violation = FieldViolation("url", "WEBHOOK_ADDRESS", vi, en)
    return Fault(Kind.INVALID, "WEBHOOK_ADDRESS", vi=vi, en=en, violations=[violation])


def _unknown_variable(name: str) -> Fault:
    known = ", ".join(f"{{{one}}}" for one in VARIABLES)
    vi = f"Mẫu dùng biến {{{name}}} không tồn tại. Các biến dùng được: {known}."
    en = f"The template names {{{name}}}, which does not exist. There are {known}."
    violation = FieldViolation("text", "UNKNOWN_VARIABLE", vi, en)
    return Fault(Kind.INVALID, "UNKNOWN_VARIABLE", vi=vi, en=en, metadata={"variable": name}, violations=[violation])
