"""Keeps the routes that follow from how people want to be reached, and from what is known of their addresses."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain.channels import Channel, ChannelRules, routes_of
from services.notify.store import contacts as store


async def reroute(connection: AsyncConnection, subjects: Sequence[str], rules: Mapping[Channel, ChannelRules]) -> None:
    """Make the routes of people anew whose locks are held."""
    contacts = await store.contacts_of(connection, subjects)
    preferences = await store.preferences_of(connection, subjects)
    webhooks = await store.webhooks_of(connection, subjects)
    routes = {
        one: routes_of(contacts.get(one), preferences.get(one, {}), webhooks.get(one, ()), rules) for one in subjects
    }
    await store.keep_routes(connection, routes)
