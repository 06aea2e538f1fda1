"""Attaches files to announcements that are being written, and lets them go when they were kept long enough.

Refuses what is too large and what is not what it seems.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault
from services.notify.domain.announcements import Announcement, Attachment
from services.notify.domain.attachments import FileRules, extension, plain_name, type_of
from services.notify.domain.forms import Wrong
from services.notify.store import announcements
from services.notify.usecases import faults

MEGABYTE = 1024 * 1024
DISCARDED_AT_ONCE = 100
GRACE = timedelta(minutes=10)  # Longer than an upload takes, which may have found the content there.


def checked_file(held: Announcement, name: str, content: bytes, rules: FileRules) -> Attachment:
    """What a file is, without an id yet. Raises ATTACHMENT_SIZE, ATTACHMENT_TYPE or WRONG_STATE."""
    if not held.may("write"):
        raise faults.wrong_state(
            held, "Chỉ đính kèm được vào bản chưa hẹn gửi.", "Attach files before it is scheduled."
        )
    together = sum(file.size for file in held.attachments) + len(content)
    if not content or len(content) > rules.most_bytes or together > rules.most_bytes_together:
        most, all_of = rules.most_bytes // MEGABYTE, rules.most_bytes_together // MEGABYTE
        vi = f"Tệp trống hoặc quá lớn: mỗi tệp nhiều nhất {most} MB, cả văn bản nhiều nhất {all_of} MB."
        en = f"The file is empty or too large: at most {most} MB each and {all_of} MB together."
        raise faults.invalid("ATTACHMENT_SIZE", [Wrong("content", vi, en)])
    if len(held.attachments) >= rules.most_files:
        vi, en = f"Nhiều nhất {rules.most_files} tệp một văn bản.", f"At most {rules.most_files} files go with one."
        raise faults.invalid("ATTACHMENT_SIZE", [Wrong("content", vi, en)])
    kind, plain = type_of(content, rules.types), plain_name(name)
    if kind is None or extension(plain) not in kind.extensions:
        taken = ", ".join(sorted({ending for known in rules.types for ending in known.extensions}))
        found = kind.media_type if kind else "?"
        vi = f"Nội dung tệp “{plain}” ({found}) không thuộc loại được nhận hoặc không đúng với đuôi tệp. Nhận: {taken}."
        en = f"The content of “{plain}” ({found}) is of no type taken, or not what its name says. Taken: {taken}."
        raise faults.invalid("ATTACHMENT_TYPE", [Wrong("content", vi, en)])
    return Attachment(0, plain, kind.media_type, len(content), hashlib.sha256(content).hexdigest())


def no_room() -> Fault:
    """The contents kept leave no room for one more."""
    vi = "Kho tệp đính kèm đã đầy. Hãy báo người vận hành nới dung lượng, hoặc gửi không kèm tệp."
    en = "There is no room for more attachments. Ask the operators to give them more, or send without the file."
    return faults.invalid("ATTACHMENT_SIZE", [Wrong("content", vi, en)])


async def attach(connection: AsyncConnection, held: Announcement, file: Attachment) -> Announcement:
    """Let a file whose content is kept go with a locked announcement; it waits for approval anew."""
    await announcements.add_attachment(connection, held.announcement_id, file)
    await announcements.keep_announcement(connection, held.rewritten(held.draft))
    again = await announcements.announcement_of(connection, held.announcement_id)
    assert again is not None
    return again


async def discard_contents(
    connection: AsyncConnection, delete: Callable[[str], Awaitable[None]], *, now: datetime
) -> int:
    """Delete contents that go with no announcement any more; returns of how many it was decided.

    Whoever dies between deleting and the commit leaves a content that is deleted once more.
    """
    claimed = await announcements.claim_discarded(connection, before=now - GRACE, limit=DISCARDED_AT_ONCE)
    attached = await announcements.still_attached(connection, claimed) if claimed else set()
    for sha256 in claimed:
        if sha256 not in attached:
            await delete(sha256)
    if claimed:
        await announcements.forget_discarded(connection, claimed)
    return len(claimed)
