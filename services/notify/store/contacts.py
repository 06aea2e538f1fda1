"""Addresses, preferences, webhooks, and the routes that follow. Who changes them holds the subject's lock."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain.channels import Channel, Contact, Preference, Route, Webhook

_CONTACT = tuple(field.name for field in fields(Contact))
_TYPES: Mapping[object, str] = {
    bool: "boolean[]",
    int: "integer[]",
    str: "text[]",
    datetime | None: "timestamptz[]",
}


async def lock_subjects(connection: AsyncConnection, subjects: Sequence[str]) -> None:
    """Lock how people are reached, in one order, until the transaction ends."""
    await connection.execute(_LOCK, {"subjects": sorted(set(subjects))})


async def contacts_of(connection: AsyncConnection, subjects: Sequence[str]) -> dict[str, Contact]:
    """Addresses of those who have any."""
    rows = await connection.execute(_CONTACTS, {"subjects": list(subjects)})
    return {row.subject: Contact(*(getattr(row, name) for name in _CONTACT)) for row in rows}


async def keep_contacts(connection: AsyncConnection, contacts: Mapping[str, Contact], now: datetime) -> None:
    """Replace addresses."""
    columns = {name: [getattr(contact, name) for contact in contacts.values()] for name in _CONTACT}
    await connection.execute(_KEEP_CONTACTS, {"subjects": list(contacts), "now": now, **columns})


async def preferences_of(connection: AsyncConnection, subjects: Sequence[str]) -> dict[str, dict[Channel, Preference]]:
    """What people chose, by channel."""
    found: dict[str, dict[Channel, Preference]] = {}
    for row in await connection.execute(_PREFERENCES, {"subjects": list(subjects)}):
        chosen = Preference(Channel(row.channel), row.enabled, row.least_severity)
        found.setdefault(row.subject, {})[chosen.channel] = chosen
    return found


async def keep_preferences(connection: AsyncConnection, subject: str, chosen: Sequence[Preference]) -> None:
    """Replace what somebody chose."""
    await connection.execute(_FORGET_PREFERENCES, {"subject": subject})
    if chosen:
        rows = [
            {"subject": subject, "channel": one.channel.value, "enabled": one.enabled, "least": one.least_severity}
            for one in chosen
        ]
        await connection.execute(_ADD_PREFERENCE, rows)


async def webhooks_of(connection: AsyncConnection, subjects: Sequence[str]) -> dict[str, list[Webhook]]:
    """Webhooks of people, the older ones first."""
    found: dict[str, list[Webhook]] = {}
    for row in await connection.execute(_WEBHOOKS, {"subjects": list(subjects)}):
        found.setdefault(row.subject, []).append(Webhook(*row))
    return found


async def webhook_of(connection: AsyncConnection, webhook_id: int) -> Webhook | None:
    """One webhook."""
    row = (await connection.execute(_WEBHOOK, {"webhook_id": webhook_id})).one_or_none()
    return None if row is None else Webhook(*row)


async def add_webhook(connection: AsyncConnection, subject: str, url: str, secret: str, now: datetime) -> Webhook:
    """Keep a webhook."""
    given = {"subject": subject, "url": url, "secret": secret, "now": now}
    return Webhook(*(await connection.execute(_ADD_WEBHOOK, given)).one())


async def remove_webhook(connection: AsyncConnection, subject: str, webhook_id: int) -> bool:
    """Forget a webhook of somebody; says whether there was one."""
    gone = await connection.execute(_REMOVE_WEBHOOK, {"subject": subject, "webhook_id": webhook_id})
    return gone.rowcount == 1


async def keep_routes(connection: AsyncConnection, routes: Mapping[str, Sequence[Route]]) -> None:
    """Replace the routes of people whose lock is held."""
    await connection.execute(_FORGET_ROUTES, {"subjects": list(routes)})
    rows = [(subject, route) for subject, found in routes.items() for route in found]
    if rows:
        await connection.execute(
            _ADD_ROUTES,
            {
                "subjects": [subject for subject, _ in rows],
                "channels": [route.channel.value for _, route in rows],
                "addresses": [route.address for _, route in rows],
                "leasts": [route.least_severity for _, route in rows],
            },
        )


_SUBJECTS = "subject = ANY(CAST(:subjects AS text[]))"
_LOCK = sa.text(
    "SELECT count(*) FROM (SELECT pg_advisory_xact_lock(hashtextextended(subject, 17)) FROM"
    " unnest(CAST(:subjects AS text[])) WITH ORDINALITY AS given(subject, place) ORDER BY place OFFSET 0) AS held"
)
_CONTACTS = sa.text(f"SELECT subject, {', '.join(_CONTACT)} FROM contact WHERE {_SUBJECTS}")  # noqa: S608 (our own names)
_KEEP_CONTACTS = sa.text(
    f"INSERT INTO contact (subject, {', '.join(_CONTACT)}, update_time)"  # noqa: S608 (our own names)
    " SELECT given.*, CAST(:now AS timestamptz) FROM unnest(CAST(:subjects AS text[]),"
    f" {', '.join(f'CAST(:{one.name} AS {_TYPES[one.type]})' for one in fields(Contact))}) AS given"
    f" ON CONFLICT (subject) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CONTACT)},"
    " update_time = excluded.update_time"
)
_PREFERENCES = sa.text(f"SELECT subject, channel, enabled, least_severity FROM preference WHERE {_SUBJECTS}")  # noqa: S608
_FORGET_PREFERENCES = sa.text("DELETE FROM preference WHERE subject = :subject")
_ADD_PREFERENCE = sa.text("INSERT INTO preference VALUES (:subject, :channel, :enabled, :least)")
_HOOK = "webhook_id, subject, url, secret, create_time"
_WEBHOOKS = sa.text(f"SELECT {_HOOK} FROM webhook WHERE {_SUBJECTS} ORDER BY webhook_id")  # noqa: S608 (our own names)
_WEBHOOK = sa.text(f"SELECT {_HOOK} FROM webhook WHERE webhook_id = :webhook_id")  # noqa: S608 (our own names)
_ADD_WEBHOOK = sa.text(
    f"INSERT INTO webhook (subject, url, secret, create_time) VALUES (:subject, :url, :secret, :now) RETURNING {_HOOK}"  # noqa: S608
)
_REMOVE_WEBHOOK = sa.text("DELETE FROM webhook WHERE subject = :subject AND webhook_id = :webhook_id")
_FORGET_ROUTES = sa.text(f"DELETE FROM route WHERE {_SUBJECTS}")  # noqa: S608 (our own names)
_ADD_ROUTES = sa.text(
    "INSERT INTO route (subject, channel, address, least_severity) SELECT * FROM unnest(CAST(:subjects AS text[]),"
    " CAST(:channels AS text[]), CAST(:addresses AS text[]), CAST(:leasts AS smallint[]))"
)
