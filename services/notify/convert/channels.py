"""Channels between the contract and the domain: addresses and preferences in, webhooks and messages out."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from iocedu.notify.v1 import channels_pb2, deliveries_pb2

from services.notify.domain.bounces import Fate
from services.notify.domain.channels import (
    ADDRESSED,
    CHANNEL_NUMBERS,
    Channel,
    ChannelRules,
    Contact,
    Dispatch,
    Preference,
    Returned,
    Try,
    Webhook,
)
from services.notify.domain.delivering import Way
from services.notify.domain.statuses import meaning_of

_BY_NUMBER = {number: channel for channel, number in CHANNEL_NUMBERS.items()}


def channel_of(number: int) -> Channel:
    """A channel by its number; the first where none is said."""
    return _BY_NUMBER.get(number, Channel.EMAIL)


def channel_number(channel: Channel) -> channels_pb2.Channel.ValueType:
    """A channel as the contract numbers it."""
    return channels_pb2.Channel.ValueType(CHANNEL_NUMBERS[channel])


def contact_of(message: channels_pb2.Contact, *, language: str = "vi") -> Contact:
    """An address as it came."""
    return Contact(
        email=message.email,
        phone=message.phone,
        language=message.language or language,
        quiet_from=message.quiet_from,
        quiet_to=message.quiet_to,
    )


def preferences_of(messages: Iterable[channels_pb2.Preference]) -> list[Preference]:
    """Preferences as they came; one of a channel this version does not know is left out."""
    return [
        Preference(_BY_NUMBER[one.channel], one.enabled, one.least_severity)
        for one in messages
        if one.channel in _BY_NUMBER
    ]


def webhook_message(webhook: Webhook) -> channels_pb2.Webhook:
    """A webhook without its secret."""
    message = channels_pb2.Webhook(webhook_id=webhook.webhook_id, url=webhook.url)
    message.create_time.FromDatetime(webhook.create_time)
    return message


def channels_message(
    contact: Contact,
    chosen: Mapping[Channel, Preference],
    webhooks: Sequence[Webhook],
    *,
    rules: Mapping[Channel, ChannelRules],
    set_up: Collection[Channel],
) -> channels_pb2.Channels:
    """How somebody is reached, with what holds where nothing was chosen."""
    message = channels_pb2.Channels(webhooks=map(webhook_message, webhooks))
    message.contact.CopyFrom(
        channels_pb2.Contact(
            email=contact.email,
            phone=contact.phone,
            language=contact.language,
            quiet_from=contact.quiet_from,
            quiet_to=contact.quiet_to,
        )
    )
    for channel in ADDRESSED:
        known = contact.at(channel)
        if known.address:
            meaning_vi, meaning_en = meaning_of(known.failure) if known.failure else ("", "")
            message.addresses.add(
                channel=channel_number(channel),
                confirmed=known.confirmed,
                failure=known.failure,
                failure_vi=meaning_vi,
                failure_en=meaning_en,
                not_set_up=channel not in set_up,
            )
    for channel in Channel:
        one = chosen.get(channel)
        message.preferences.add(
            channel=channel_number(channel),
            enabled=one.enabled if one else True,
            least_severity=(one.least_severity if one else 0) or rules[channel].least_severity,
        )
    return message


def dispatch_message(dispatch: Dispatch) -> deliveries_pb2.Dispatch:
    """A message with its tries; without its address, which is personal."""
    message = deliveries_pb2.Dispatch(
        dispatch_id=str(dispatch.dispatch_id),
        channel=channel_number(dispatch.channel),
        subject=dispatch.subject,
        state=state_number(dispatch.state),
        priority=dispatch.priority,
        notice_count=dispatch.notice_count,
        attempts=map(_attempt_message, dispatch.tries),
        bounces=map(_bounce_message, dispatch.bounces),
    )
    message.create_time.FromDatetime(dispatch.create_time)
    message.next_time.FromDatetime(dispatch.next_time)
    if dispatch.done_time is not None:
        message.done_time.FromDatetime(dispatch.done_time)
    return message


def state_number(way: Way) -> deliveries_pb2.DispatchState.ValueType:
    """A state as the contract numbers it."""
    return deliveries_pb2.DispatchState.ValueType(way)


def _attempt_message(one: Try) -> deliveries_pb2.Attempt:
    message = deliveries_pb2.Attempt(number=one.number, outcome=one.outcome, detail=one.detail)
    message.time.FromDatetime(one.time)
    return message


def _bounce_message(one: Returned) -> deliveries_pb2.Bounce:
    bounce = one.bounce
    message = deliveries_pb2.Bounce(fate=bounce.fate.value, status=bounce.status, detail=bounce.detail)
    if bounce.fate is Fate.FAILED:
        message.meaning_vi, message.meaning_en = meaning_of(f"{bounce.status} {bounce.detail}")
    message.time.FromDatetime(one.time)
    return message
