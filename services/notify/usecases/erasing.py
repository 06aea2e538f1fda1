"""What records erased or restricted at a person's request is told by nobody here any more.

A notice that names a key of the person's records says that it was erased; what people wrote, announcements and answers,
loses the key and keeps the rest. Notices are copies that no law keeps, so what is only restricted in records goes, too.
The keys of erased records are noted, so that news under way says nothing of them when it comes. Staff whose account
is called as their record lose addresses and the history of what was sent to them. A repeat finds nothing more.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import dead_letters, outbox
from chassis.bus import subject_of
from chassis.tail import allot_positions
from services.notify import store
from services.notify.convert.erasing import alerts_without, erasures_confirmed, requests_without
from services.notify.domain import Matter
from services.notify.domain.erasing import Erasure, masked, mentions, without
from services.notify.store import erasing
from services.notify.store.contacts import lock_subjects
from services.notify.store.queue import drop_waiting
from services.notify.usecases.grouping import tell_together

ERASURES_CONFIRMED: Final = "erasures-confirmed"
_WRITTEN = ("title_vi", "title_en", "body_vi", "body_en", "form", "recall_reason")


async def erase(
    connection: AsyncConnection,
    erasure: Erasure,
    *,
    asking: Collection[str],
    accounts: Collection[str],
    unit_name: Callable[[int], str],
    now: datetime,
) -> bool:
    """Erase what is kept of a request's persons, and confirm; says whether an inbox changed.

    `accounts` are subjects of staff who are meant, `asking` the services whose requests may be among the dead letters.
    """
    count = 0
    moved: list[int] = []
    # Who changes how somebody is reached ends first, and what was written goes; who comes later finds nothing.
    await lock_subjects(connection, sorted(accounts))
    if erasure.erased:
        await erasing.note_erased(connection, erasure.school_id, erasure.erased)
    if erasure.keys:
        count += await _announcements(connection, erasure, moved, now=now)
        count += await _answers(connection, erasure)
        count += await _matters(connection, erasure, moved, now=now)
        count += await _dead_letters(connection, erasure, asking)
    for subject in sorted(accounts):
        count += await erasing.forget_person(connection, subject)
        if subject in erasure.erased:
            count += await erasing.forget_inbox(connection, subject)
    await tell_together(connection, {}, moved, unit_name=unit_name, reads=_everybody, now=now)
    await _show(connection, moved)
    await outbox.append(connection, [outbox.Outgoing(ERASURES_CONFIRMED, erasures_confirmed(erasure, count))])
    return bool(count)


async def told(connection: AsyncConnection, matters: Sequence[Matter]) -> list[Matter]:
    """What may be told of these matters: those that name somebody who was erased say nothing."""
    found = await erasing.erased_keys(connection, {matter.unit_id for matter in matters}) if matters else {}
    if not found:
        return list(matters)
    return [without(matter, found.get(matter.unit_id, ())) for matter in matters]


def _everybody(_subject: str, _unit_id: int) -> bool:
    """Whoever has it keeps what is left, which says less than before."""
    return True


async def _matters(connection: AsyncConnection, erasure: Erasure, moved: list[int], *, now: datetime) -> int:
    count = 0
    for matter in await erasing.lock_matters_naming(connection, erasure.school_id, erasure.keys):
        left = without(matter, erasure.keys)
        if left != matter:
            await erasing.keep_texts(connection, left)
            await drop_waiting(connection, matter.alert_id, now)
            moved.append(matter.alert_id)
            count += 1
    return count


async def _announcements(connection: AsyncConnection, erasure: Erasure, moved: list[int], *, now: datetime) -> int:
    count = 0
    rows = await erasing.announcements_naming(connection, erasure.school_id, erasure.keys)
    for row in rows:
        texts = {name: masked(row[name], erasure.keys) for name in _WRITTEN}
        if any(texts[name] != row[name] for name in _WRITTEN):
            await erasing.keep_announced(connection, row["announcement_id"], texts)
            moved += [row["matter_id"]] if row["matter_id"] is not None else []
            count += 1
    files = await erasing.files_of(connection, [row["announcement_id"] for row in rows])
    naming = [attachment_id for attachment_id, name, _ in files if mentions(name, erasure.keys)]
    if naming:
        await erasing.drop_files(connection, naming, now=now)
    return count + len(naming)


async def _answers(connection: AsyncConnection, erasure: Erasure) -> int:
    count = 0
    for announcement_id, subject, answers in await erasing.answers_naming(connection, erasure.school_id, erasure.keys):
        left = masked(answers, erasure.keys)
        if left != answers:
            await erasing.keep_answers(connection, announcement_id, subject, left)
            count += 1
    return count


async def _dead_letters(connection: AsyncConnection, erasure: Erasure, asking: Collection[str]) -> int:
    naming = [key.encode() for key in sorted(erasure.keys)]
    count = await dead_letters.rewrite(
        connection,
        subject_of("alerts", "alerts-changed"),
        naming,
        lambda payload: alerts_without(payload, erasure),
    )
    for source in asking:
        count += await dead_letters.rewrite(
            connection,
            subject_of(source, "notice-requested"),
            naming,
            lambda payload: requests_without(payload, erasure),
        )
    return count


async def _show(connection: AsyncConnection, matter_ids: Collection[int]) -> None:
    """Let those who were told these matters see them again, as they are now."""
    notices = await store.lock_notices_about(connection, matter_ids) if matter_ids else []
    if notices:
        await store.move_notices(connection, notices, first=await allot_positions(connection, len(notices)))
