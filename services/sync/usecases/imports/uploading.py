"""A file is taken: received on disk, however slowly it comes, then written into the database in one short transaction.

No connection to the database is held while a sender sends.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import IO, Final

from chassis.identity import Caller
from services.sync.domain.full import Decision
from services.sync.domain.imports import Import, ImportState, Order
from services.sync.domain.suspicions import SuspicionKind
from services.sync.store import imports
from services.sync.usecases import refusals
from services.sync.usecases.imports.office import Office

PART: Final = 1 << 20


async def create_import(office: Office, order: Order, *, parts: AsyncIterator[bytes]) -> Import:
    """Take a file; raises TOO_LARGE, and REQUEST_ID_REUSED where the id was used for another file."""
    async with office.most_receiving:
        with tempfile.TemporaryFile(prefix="iocedu-upload-") as spool:
            size, digest = await _received(office, order, parts, spool)
            import_id = await _kept(office, order, spool, size=size, digest=digest)
    async with office.intake.database.connection() as reads:
        if import_id is not None:
            one = await imports.get(reads, import_id)
        else:
            one = await imports.by_request(reads, order.unit_id, order.request_id)
    assert one is not None, "it was committed, or was there before"
    if one.digest != digest:
        raise refusals.request_id_reused(order.request_id)
    office.rung.set()
    return one


async def _received(office: Office, order: Order, parts: AsyncIterator[bytes], spool: IO[bytes]) -> tuple[int, bytes]:
    """Write a file to disk as it comes; its size, and what tells it from others."""
    digest, size, waiting = blake2b(_told(order), digest_size=16), 0, bytearray()
    async for part in parts:
        size += len(part)
        if size > office.most_bytes:
            raise refusals.file_too_large(office.most_bytes)
        digest.update(part)
        waiting += part
        if len(waiting) >= PART:
            await asyncio.to_thread(spool.write, bytes(waiting))
            waiting.clear()
    spool.write(waiting)
    return size, digest.digest()


async def _kept(office: Office, order: Order, spool: IO[bytes], *, size: int, digest: bytes) -> int | None:
    """Keep an import with its file; None when its request id is there already."""
    spool.seek(0)
    number = 0
    async with office.intake.database.transaction() as writes:
        import_id = await imports.begin(writes, order, now=office.intake.clock.now())
        if import_id is None:
            return None
        while part := await asyncio.to_thread(spool.read, PART):
            await imports.add_part(writes, import_id, number, part)
            number += 1
        await imports.complete_upload(writes, import_id, size=size, digest=digest)
    return import_id


async def confirm_import(office: Office, one: Import, *, by: Caller, reason: str) -> Import:
    """Let an import go on that waits for a person; raises WRONG_STATE.

    What would be gone in a mass is confirmed by who may confirm it of a declaration: raises NO_GRANT.
    """
    disappears = any(it["kind"] == SuspicionKind.MASS_DISAPPEARANCE for it in one.suspicions)
    if disappears and not office.may_let_disappear(by, one.order):
        raise refusals.not_for_its_sender(one.import_id)
    now = office.intake.clock.now()
    async with office.intake.database.transaction() as writes:
        changed = await imports.confirm(writes, one.import_id, decision=Decision(by.subject, reason, now), now=now)
    if changed is None:
        raise refusals.wrong_state(await _state(office, one))
    office.rung.set()
    return changed


async def cancel_import(office: Office, one: Import, *, by: Caller, reason: str) -> Import:
    """Stop an import; raises WRONG_STATE where it has ended, INVALID_FIELD where one that waits is rejected without a
    reason.
    """
    if one.state is ImportState.AWAITING_CONFIRMATION and not reason:
        raise refusals.reason_missing()
    now = office.intake.clock.now()
    async with office.intake.database.transaction() as writes:
        changed = await imports.cancel(writes, one.import_id, decision=Decision(by.subject, reason, now), now=now)
        await imports.drop_file(writes, one.import_id)
    if changed is None:
        raise refusals.wrong_state(await _state(office, one))
    return changed


async def _state(office: Office, one: Import) -> ImportState:
    async with office.intake.database.connection() as reads:
        now = await imports.get(reads, one.import_id)
    return now.state if now else one.state


def _told(order: Order) -> bytes:
    """What makes a file another import besides its content."""
    asked = (order.source, order.school_year, order.collection, order.stage, order.complete, order.backfill)
    return repr((*asked, "looked at") if order.validate_only else asked).encode()
