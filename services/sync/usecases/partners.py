"""Partners registered and changed, suspended and let go on; their keys added and revoked.

Whatever changes which tokens are taken is published at once (`publish_keyring`), and again every second, so that a key
whose time comes or ends is known, too. Refuses private keys, and an id under which somebody else acts already.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import keyring
from chassis.access import caller_may
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database
from chassis.scope_tree import EVERY_UNIT
from chassis.scopes import Scopes
from services.sync.clients.grants import Grants
from services.sync.convert.keys import KeyRefusedError, jwk_of, published
from services.sync.domain.connections import KINDS
from services.sync.domain.partners import INTEGRATOR, MANAGERS, MOST_KEYS, Partner, PartnerKey, PartnerState
from services.sync.store import partners as store
from services.sync.usecases import partner_refusals as refusals
from services.sync.usecases.refusals import invalid


@dataclass(frozen=True)
class Partners:
    """What work on partners needs; opened by wiring."""

    database: Database
    bus: Bus
    scopes: Scopes
    clock: Clock
    grants: Grants
    rung: asyncio.Event = field(default_factory=asyncio.Event)  # Set when the keys in force may be others.

    def managed(self, one: Partner) -> bool:
        """Whether the caller may manage a partner, as its department does."""
        return caller_may(self.scopes.tree, MANAGERS, one.unit_id, self.clock.today())


async def permitted(
    partners: Partners,
    reads: AsyncConnection,
    partner_id: str,
    *,
    caller: str,
    itself: bool = True,
    locked: bool = False,
) -> Partner:
    """The partner, for who may manage it and, where `itself`, for the partner; raises UNKNOWN_PARTNER."""
    found = await store.partner_of(reads, partner_id, locked=locked)
    if found is None or not ((itself and caller == partner_id) or partners.managed(found)):
        raise refusals.unknown_partner(partner_id)
    return found


async def register(
    partners: Partners, *, partner_id: str, unit_id: int, display_name: str, contact: str, by: str
) -> Partner:
    """Register a partner; raises PARTNER_EXISTS, also where somebody acts in other roles under that id, or for units
    beyond the one that registers: whoever holds the key of a partner acts by all its grants.
    """
    tree = partners.scopes.tree
    unit = tree.unit(unit_id)
    if unit is not None and unit.kind in KINDS:
        raise invalid(
            "unit",
            vi="Đối tác do sở hoặc phòng đăng ký, không phải do trường. Hãy nêu đơn vị quản lý.",
            en="A department registers partners, no school. Name the department's unit.",
        )
    today = partners.clock.today()
    if partner_id == by or any(
        grant.role != INTEGRATOR or not (unit_id == EVERY_UNIT or tree.contains(unit_id, grant.unit_id, today))
        for grant in tree.grants_of(partner_id, today)
    ):
        raise refusals.partner_exists(partner_id)
    now = partners.clock.now()
    made = Partner(partner_id, unit_id, display_name, contact, int(PartnerState.ACTIVE), "", by, now, 1, now, by)
    async with partners.database.transaction() as writes:
        if not await store.add(writes, made):
            raise refusals.partner_exists(partner_id)
    return made


async def change(partners: Partners, partner_id: str, values: dict[str, Any], *, etag: str, caller: str) -> Partner:
    """Change what is told of a partner; raises PARTNER_CHANGED."""
    async with partners.database.transaction() as writes:
        found = await permitted(partners, writes, partner_id, caller=caller, locked=True)
        if found.etag != etag:
            raise refusals.partner_changed(found.etag)
        return await store.change(writes, partner_id, **values)


async def set_state(partners: Partners, partner_id: str, state: PartnerState, *, reason: str, caller: str) -> Partner:
    """Suspend a partner or let it go on; who is in that state already stays as it is."""
    async with partners.database.transaction() as writes:
        found = await permitted(partners, writes, partner_id, caller=caller, itself=False, locked=True)
        if found.state == state:
            return found
        values = {"state": int(state), "state_reason": reason, "state_by": caller, "state_time": partners.clock.now()}
        changed = await store.change(writes, partner_id, **values)
    partners.rung.set()
    return changed


async def add_key(
    partners: Partners,
    partner_id: str,
    *,
    kid: str,
    public_key: str,
    valid_from: datetime | None,
    valid_to: datetime | None,
    caller: str,
) -> PartnerKey:
    """Add a public key; raises KEY_REFUSED, KID_REUSED or TOO_MANY_KEYS. The same one again answers the same."""
    try:
        jwk = jwk_of(public_key)
    except KeyRefusedError as refused:
        raise refusals.key_refused(refused.cause) from None
    now = partners.clock.now()
    begins = valid_from or now
    if valid_to is not None and valid_to <= max(begins, now):
        raise invalid(
            "valid_to",
            vi="Thời điểm hết hạn phải sau thời điểm bắt đầu và sau bây giờ.",
            en="The end must lie after the beginning and after now.",
        )
    async with partners.database.transaction() as writes:
        await permitted(partners, writes, partner_id, caller=caller, locked=True)
        held = await store.keys_of(writes, partner_id)
        known = next((one for one in held if one.kid == kid), None)
        if known is not None:
            if known.jwk != jwk or known.revoke_time is not None:
                raise refusals.kid_reused(kid)
            return known
        if sum(one.may_hold(now) for one in held) >= MOST_KEYS:
            raise refusals.too_many_keys()
        made = PartnerKey(partner_id, kid, jwk["alg"], jwk, begins, valid_to, None, "", "", now, caller)
        await store.add_key(writes, made)
    partners.rung.set()
    return made


async def revoke_key(partners: Partners, partner_id: str, kid: str, *, reason: str, caller: str) -> PartnerKey:
    """Revoke a key; one that is revoked stays as it is. Raises UNKNOWN_KEY."""
    async with partners.database.transaction() as writes:
        await permitted(partners, writes, partner_id, caller=caller, locked=True)
        await store.revoke_key(writes, partner_id, kid, by=caller, reason=reason, now=partners.clock.now())
        found = next((one for one in await store.keys_of(writes, partner_id) if one.kid == kid), None)
    if found is None:
        raise refusals.unknown_key(kid)
    partners.rung.set()
    return found


async def publish_keyring(partners: Partners) -> bool:
    """Publish the keys in force and who is suspended, read under a lock that all replicas share; False: no news."""
    async with partners.database.transaction() as writes:
        await store.lock_keyring(writes)
        held = await store.in_force(writes, now=partners.clock.now())
        text = keyring.described(map(published, held), suspended=await store.suspended(writes))
        return await keyring.publish(partners.bus, text)
