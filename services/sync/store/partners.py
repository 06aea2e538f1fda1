"""Partners and their keys as they are kept; keys are never removed."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.partners import Partner, PartnerKey, PartnerState
from services.sync.store.tables import partner, partner_key

KEYRING_LOCK: Final = (
    7  # Advisory lock: who publishes the keys reads and publishes under it, so that no older set wins.
)


async def add(writes: AsyncConnection, one: Partner) -> bool:
    """Add a partner; False: its id is taken."""
    values = {name: getattr(one, name) for name in partner.c.keys()}  # noqa: SIM118  a collection of columns
    return bool((await writes.execute(insert(partner).values(values).on_conflict_do_nothing())).rowcount)


async def partner_of(reads: AsyncConnection, partner_id: str, *, locked: bool = False) -> Partner | None:
    """One partner; `locked` against others who would change it or its keys."""
    query = sa.select(partner).where(partner.c.partner_id == partner_id)
    row = (await reads.execute(query.with_for_update() if locked else query)).one_or_none()
    return None if row is None else _partner(row)


async def among(reads: AsyncConnection, partner_ids: Collection[str]) -> dict[str, Partner]:
    """The partners among these ids."""
    found = map(_partner, await reads.execute(sa.select(partner).where(partner.c.partner_id.in_(partner_ids))))
    return {one.partner_id: one for one in found}


async def registered(reads: AsyncConnection, units: Collection[int], *, after: str, most: int) -> list[Partner]:
    """Partners that these units registered, by id."""
    query = sa.select(partner).where(partner.c.unit_id.in_(units), partner.c.partner_id > after)
    return list(map(_partner, await reads.execute(query.order_by(partner.c.partner_id).limit(most))))


async def change(writes: AsyncConnection, partner_id: str, **values: Any) -> Partner:
    """Change a partner that is there."""
    query = sa.update(partner).where(partner.c.partner_id == partner_id)
    changed = query.values(values | {"revision": partner.c.revision + 1}).returning(*partner.c)
    return _partner((await writes.execute(changed)).one())


async def add_key(writes: AsyncConnection, one: PartnerKey) -> None:
    """Add a key that is not there."""
    values = {name: getattr(one, name) for name in partner_key.c.keys()}  # noqa: SIM118  a collection of columns
    await writes.execute(sa.insert(partner_key).values(values))


async def keys_of(reads: AsyncConnection, partner_id: str, *, after: str = "", most: int = 1000) -> list[PartnerKey]:
    """A partner's keys by kid, revoked ones too."""
    query = sa.select(partner_key).where(partner_key.c.partner_id == partner_id, partner_key.c.kid > after)
    return [PartnerKey(*row) for row in await reads.execute(query.order_by(partner_key.c.kid).limit(most))]


async def revoke_key(
    writes: AsyncConnection, partner_id: str, kid: str, *, by: str, reason: str, now: datetime
) -> None:
    """Revoke a key; one that is revoked stays as it is."""
    query = sa.update(partner_key).where(partner_key.c.partner_id == partner_id, partner_key.c.kid == kid)
    values = {"revoke_time": now, "revoked_by": by, "revoke_reason": reason}
    await writes.execute(query.where(partner_key.c.revoke_time.is_(None)).values(values))


async def in_force(reads: AsyncConnection, *, now: datetime) -> list[PartnerKey]:
    """The keys that hold now, of partners that are active, in order."""
    query = sa.select(partner_key).join(partner, partner.c.partner_id == partner_key.c.partner_id)
    query = query.where(
        partner.c.state == int(PartnerState.ACTIVE),
        partner_key.c.revoke_time.is_(None),
        partner_key.c.valid_from <= now,
        sa.or_(partner_key.c.valid_to.is_(None), partner_key.c.valid_to > now),
    )
    found = await reads.execute(query.order_by(partner_key.c.partner_id, partner_key.c.kid))
    return [PartnerKey(*row) for row in found]


async def suspended(reads: AsyncConnection) -> list[str]:
    """The ids of suspended partners."""
    query = sa.select(partner.c.partner_id).where(partner.c.state == int(PartnerState.SUSPENDED))
    return list((await reads.execute(query)).scalars())


async def every_id(reads: AsyncConnection) -> list[str]:
    """The ids of all partners."""
    return list(await reads.scalars(sa.select(partner.c.partner_id)))


async def lock_keyring(writes: AsyncConnection) -> None:
    """Keep other publishers away until the transaction ends."""
    await writes.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtext('keyring'), :number)"), {"number": KEYRING_LOCK}
    )


def _partner(row: Any) -> Partner:
    return Partner(**row._mapping)  # noqa: SLF001  the public name of a row's columns
