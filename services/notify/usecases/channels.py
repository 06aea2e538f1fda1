"""Lets people say how they are reached, and keeps the routes that follow from it. Refuses what contradicts itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from chassis.webhooks import new_secret
from services.notify.domain.channels import Channel, ChannelRules, Contact, Preference, Webhook
from services.notify.store import contacts as store
from services.notify.usecases.addresses import send_codes
from services.notify.usecases.routing import reroute


@dataclass(frozen=True)
class Chosen:
    """All that is kept of how somebody is reached."""

    contact: Contact
    preferences: Mapping[Channel, Preference]
    webhooks: Sequence[Webhook]


async def chosen_by(connection: AsyncConnection, subject: str) -> Chosen:
    """What somebody chose; empty where nothing was."""
    contacts = await store.contacts_of(connection, [subject])
    preferences = await store.preferences_of(connection, [subject])
    webhooks = await store.webhooks_of(connection, [subject])
    return Chosen(contacts.get(subject, Contact()), preferences.get(subject, {}), webhooks.get(subject, ()))


async def choose(
    connection: AsyncConnection,
    subject: str,
    contact: Contact,
    preferences: Sequence[Preference],
    *,
    rules: Mapping[Channel, ChannelRules],
    set_up: Collection[Channel],
    now: datetime,
) -> Chosen:
    """Replace addresses, quiet hours and preferences of somebody; a new address is sent a code first.

    Raises INVALID_PREFERENCES.
    """
    if bool(contact.quiet_from) != bool(contact.quiet_to):
        vi = "Giờ yên tĩnh cần cả lúc bắt đầu và lúc kết thúc."
        raise _invalid("contact.quiet_to", vi, "Quiet hours need a begin and an end.")
    if len({one.channel for one in preferences}) < len(preferences):
        raise _invalid("preferences", "Mỗi kênh chỉ khai một lần.", "Name each channel once.")
    await store.lock_subjects(connection, [subject])
    before = (await store.contacts_of(connection, [subject])).get(subject, Contact())
    kept = contact.following(before)
    await store.keep_contacts(connection, {subject: kept}, now)
    await store.keep_preferences(connection, subject, preferences)
    await reroute(connection, [subject], rules)
    await send_codes(connection, subject, kept, set_up=set_up, now=now)
    return await chosen_by(connection, subject)


async def import_contacts(
    connection: AsyncConnection,
    given: Mapping[str, Contact],
    *,
    rules: Mapping[Channel, ChannelRules],
    now: datetime,
) -> int:
    """Keep addresses of many, which count as confirmed; what is not named of a contact stays as it is."""
    subjects = sorted(given)
    await store.lock_subjects(connection, subjects)
    known = await store.contacts_of(connection, subjects)
    merged = {subject: _merged(known.get(subject, Contact()), given[subject]) for subject in subjects}
    await store.keep_contacts(connection, merged, now)
    await reroute(connection, subjects, rules)
    return len(merged)


async def add_webhook(
    connection: AsyncConnection,
    subject: str,
    url: str,
    *,
    most: int,
    rules: Mapping[Channel, ChannelRules],
    now: datetime,
) -> Webhook:
    """Register a webhook whose address was checked. Raises TOO_MANY_WEBHOOKS."""
    await store.lock_subjects(connection, [subject])
    known = await store.webhooks_of(connection, [subject])
    if len(known.get(subject, ())) >= most:
        raise Fault(
            Kind.PRECONDITION,
            "TOO_MANY_WEBHOOKS",
            vi=f"Mỗi người có nhiều nhất {most} webhook. Hãy xóa bớt một webhook.",
            en=f"One person has at most {most} webhooks. Remove one first.",
        )
    added = await store.add_webhook(connection, subject, url, new_secret(), now)
    await reroute(connection, [subject], rules)
    return added


async def remove_webhook(
    connection: AsyncConnection, subject: str, webhook_id: int, *, rules: Mapping[Channel, ChannelRules]
) -> None:
    """Forget a webhook of somebody. Raises UNKNOWN_WEBHOOK."""
    await store.lock_subjects(connection, [subject])
    if not await store.remove_webhook(connection, subject, webhook_id):
        raise unknown_webhook(webhook_id)
    await reroute(connection, [subject], rules)


def unknown_webhook(webhook_id: int) -> Fault:
    """Nothing of the caller's has this id."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_WEBHOOK",
        vi=f"Bạn không có webhook số {webhook_id}.",
        en=f"You have no webhook {webhook_id}.",
        metadata={"webhook_id": str(webhook_id)},
    )


def _merged(known: Contact, given: Contact) -> Contact:
    return Contact(
        email=given.email or known.email,
        phone=given.phone or known.phone,
        language=given.language or known.language,
        quiet_from=given.quiet_from or known.quiet_from,
        quiet_to=given.quiet_to or known.quiet_to,
        # Who brings addresses answers for them; one brought again is tried again.
        email_confirmed=bool(given.email) or known.email_confirmed,
        phone_confirmed=bool(given.phone) or known.phone_confirmed,
        email_failure="" if given.email else known.email_failure,
        phone_failure="" if given.phone else known.phone_failure,
        email_bounces=0 if given.email else known.email_bounces,
        email_bounces_since=None if given.email else known.email_bounces_since,
    )


def _invalid(path: str, vi: str, en: str) -> Fault:
    violation = FieldViolation(path, "INVALID_PREFERENCES", vi, en)
    return Fault(Kind.INVALID, "INVALID_PREFERENCES", vi=vi, en=en, violations=[violation])
