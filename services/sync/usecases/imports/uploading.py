"""A file is taken: streamed into the database part by part, with what is asked for, in one transaction."""

from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Final

from services.sync.domain.imports import Import, ImportState, Order
from services.sync.store import imports
from services.sync.usecases import refusals
from services.sync.usecases.imports.office import Office

PART: Final = 1 << 20


async def create_import(office: Office, order: Order, *, parts: AsyncIterator[bytes]) -> Import:
    """Take a file; raises TOO_LARGE, and REQUEST_ID_REUSED where the id was used for another file."""
    database, now = office.intake.database, office.intake.clock.now()
    digest, size, number, rest = blake2b(_told(order), digest_size=16), 0, 0, bytearray()
    async with database.transaction() as writes:
        import_id = await imports.begin(writes, order, now=now)
        async for part in parts:
            size += len(part)
            if size > office.most_bytes:
                raise refusals.file_too_large(office.most_bytes)
            digest.update(part)
            rest += part
            while import_id is not None and len(rest) >= PART:
                await imports.add_part(writes, import_id, number, bytes(rest[:PART]))
                number, rest = number + 1, rest[PART:]
            if import_id is None:
                rest.clear()
        if import_id is not None:
            if rest:
                await imports.add_part(writes, import_id, number, bytes(rest))
            await imports.complete_upload(writes, import_id, size=size, digest=digest.digest())
    async with database.connection() as reads:
        if import_id is not None:
            one = await imports.get(reads, import_id)
        else:
            one = await imports.by_request(reads, order.unit_id, order.request_id)
    assert one is not None, "it was committed, or was there before"
    if one.digest != digest.digest():
        raise refusals.request_id_reused(order.request_id)
    office.rung.set()
    return one


async def confirm_import(office: Office, one: Import, *, subject: str) -> Import:
    """Let an import go on that waits for a person; raises WRONG_STATE."""
    async with office.intake.database.transaction() as writes:
        changed = await imports.confirm(writes, one.import_id, subject=subject, now=office.intake.clock.now())
    if changed is None:
        raise refusals.wrong_state(await _state(office, one))
    office.rung.set()
    return changed


async def cancel_import(office: Office, one: Import, *, subject: str) -> Import:
    """Stop an import; raises WRONG_STATE where it has ended."""
    async with office.intake.database.transaction() as writes:
        changed = await imports.cancel(writes, one.import_id, subject=subject, now=office.intake.clock.now())
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
    return repr(asked).encode()
