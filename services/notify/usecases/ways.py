"""The ways by which a message leaves, each an adapter: it puts the message into words and hands it over.

Another channel is another class with `send`, its rules in `rules/channels.json` and an address that people can keep.
"""

from dataclasses import dataclass
from typing import Protocol

from services.notify.clients.email import MailServer
from services.notify.clients.sms import SmsGateway
from services.notify.clients.webhooks import WebhookSender
from services.notify.convert.messages import mail_texts, preferences_link, sms_text, webhook_body
from services.notify.convert.rules import Speech
from services.notify.domain.channels import Channel, Message, Outcome, Result
from services.notify.store.contacts import webhook_of
from services.notify.usecases.connecting import Connect


class Way(Protocol):
    """Hands over one message; whatever goes wrong is a result and no exception."""

    async def send(self, message: Message) -> Result:
        """Say what came of this try."""


@dataclass(frozen=True)
class ByMail:
    """E-mail: text and HTML, with a link to where one chooses how to be told."""

    server: MailServer
    speech: Speech
    public_url: str

    async def send(self, message: Message) -> Result:
        """Hand it to the mail server."""
        subject, text, page = mail_texts(message, self.speech, self.public_url)
        return await self.server.send(
            message.dispatch_id,
            to=message.address,
            subject=subject,
            text=text,
            page=page,
            preferences=preferences_link(self.public_url),
            language=message.language,
            return_token=message.return_token,
        )


@dataclass(frozen=True)
class BySms:
    """A text message, cut to the segments that the provider's file allows."""

    gateway: SmsGateway
    speech: Speech
    public_url: str

    async def send(self, message: Message) -> Result:
        """Hand it to the provider."""
        provider = self.gateway.provider
        text = sms_text(
            message,
            self.speech,
            self.public_url,
            without_marks=provider.without_marks,
            most_segments=provider.most_segments,
        )
        return await self.gateway.send(message.dispatch_id, phone=message.address, text=text)


@dataclass(frozen=True)
class ByWebhook:
    """A signed request to a program; its address is read for each try, so that a removed one gets nothing."""

    sender: WebhookSender
    connect: Connect
    public_url: str

    async def send(self, message: Message) -> Result:
        """Send it."""
        async with self.connect() as connection:
            webhook = await webhook_of(connection, int(message.address))
        if webhook is None:
            return Result(Outcome.REFUSED, "the webhook was removed")
        body = webhook_body(message, self.public_url)
        return await self.sender.send(message.dispatch_id, url=webhook.url, secret=webhook.secret, body=body)


@dataclass(frozen=True)
class NotSetUp:
    """Stands for a channel without a server: messages are given up at once, seen by operators, and fall back."""

    channel: Channel

    async def send(self, _message: Message) -> Result:
        """Refuse."""
        return Result(Outcome.REFUSED, f"no {self.channel} server is set up")
