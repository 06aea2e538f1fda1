"""The life of an announcement until it leaves, and its recall. Each step says in which states it may be taken."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from chassis.scope_tree import ScopeTree
from chassis.tail import allot_positions
from services.notify import store
from services.notify.domain.announcements import TOPIC, Announcement, Draft, Stage
from services.notify.domain.audiences import AudienceRule, Reach
from services.notify.domain.forms import Wrong, wrong_form
from services.notify.domain.notices import Matter
from services.notify.store import announcements, receipts, silence
from services.notify.store.queue import drop_waiting
from services.notify.usecases import faults
from services.notify.usecases.audiences import reach_of
from services.notify.usecases.news import unit_name

_BEFORE_SENDING = {
    Stage.DRAFT: ("Hãy duyệt văn bản trước khi gửi.", "Approve it before it is sent."),
    Stage.SENT: ("Văn bản này đã gửi rồi, không phải gửi lại.", "It has been sent already."),
    Stage.RECALLED: ("Hãy soạn văn bản mới.", "Begin another."),
}


@dataclass(frozen=True)
class Scene:
    """Who takes a step, when, and what units and grants there are then."""

    subject: str
    now: datetime
    tree: ScopeTree
    day: date  # In Viet Nam.


async def audience_now(
    connection: AsyncConnection, rule: AudienceRule, unit_id: int, scene: Scene, *, path: str
) -> Reach:
    """Whom an audience reaches at this moment; raises what `reach_of` does."""
    days = sorted({group.silent_days for group in rule.groups if group.silent_days})
    silent = {day: await silence.silent_since(connection, scene.now - timedelta(days=day)) for day in days}
    return reach_of(rule, unit_id, tree=scene.tree, today=scene.day, silent_for=silent.__getitem__, path=path)


async def create_announcement(
    connection: AsyncConnection, unit_id: int, draft: Draft, scene: Scene, *, request_id: str
) -> Announcement:
    """Begin one; a repeat under the same request id answers what was begun. Raises INVALID_FORM or INVALID_TIME."""
    _check(draft, scene.now)
    begun = Announcement(0, unit_id, draft, created_by=scene.subject, create_time=scene.now)
    added = await announcements.add_announcement(connection, begun, request_id=request_id)
    if added is None:
        added = await announcements.begun_under(connection, scene.subject, request_id)
        assert added is not None, "a request id that is taken names an announcement"
    return added


async def update_announcement(
    connection: AsyncConnection, held: Announcement, draft: Draft, scene: Scene
) -> Announcement:
    """Let a locked announcement say something else."""
    if not held.may("write"):
        raise faults.wrong_state(
            held,
            "Chỉ bản nháp hoặc văn bản đã duyệt mới sửa được; hãy thu hồi và soạn văn bản mới.",
            "Only what has not been scheduled can be changed; recall it and begin another.",
        )
    _check(draft, scene.now)
    return await _kept(connection, held.rewritten(draft))


async def approve_announcement(connection: AsyncConnection, held: Announcement, scene: Scene) -> Announcement:
    """Answer for a locked announcement as it stands; its audience must reach somebody today."""
    if held.state is Stage.APPROVED:
        return held
    if not held.may("approve"):
        raise faults.wrong_state(held, "Chỉ duyệt được bản nháp.", "Only a draft can be approved.")
    await audience_now(connection, held.draft.audience, held.unit_id, scene, path="draft.audience")
    return await _kept(connection, held.approved(scene.subject))


async def schedule_announcement(
    connection: AsyncConnection, held: Announcement, scene: Scene, *, send_time: datetime | None
) -> Announcement:
    """Let a locked announcement leave at a time, or now. Raises WRONG_STATE, INVALID_TIME and what `reach_of` does."""
    if not held.may("schedule"):
        raise faults.wrong_state(held, *_BEFORE_SENDING[held.state])
    at = send_time or scene.now
    due = held.draft.due_time
    if at < scene.now - timedelta(minutes=5) or (due is not None and at >= due):
        vi, en = (
            "Giờ gửi phải từ bây giờ và trước hạn trả lời.",
            "The time to send lies from now on, before the due time.",
        )
        violation = FieldViolation("send_time", "INVALID_TIME", vi, en)
        raise Fault(Kind.INVALID, "INVALID_TIME", vi=vi, en=en, violations=[violation])
    await audience_now(connection, held.draft.audience, held.unit_id, scene, path="draft.audience")
    return await _kept(connection, held.scheduled(at))


async def recall_announcement(
    connection: AsyncConnection, held: Announcement, scene: Scene, *, reason: str
) -> Announcement:
    """Take a locked announcement back: who awaits it gets none, who has it sees that it counts no longer."""
    if held.state is Stage.RECALLED:
        return held
    recalled = await _kept(connection, held.recalled(scene.subject, reason))
    if recalled.matter_id is None:
        return recalled
    await receipts.withdraw(connection, recalled.announcement_id)
    matter = matter_of(recalled, recalled.matter_id, unit_name=unit_name(scene.tree, recalled.unit_id))
    await store.keep_matters(connection, [replace(matter, recalled=True)])
    await drop_waiting(connection, recalled.matter_id, scene.now)
    notices = await store.lock_notices_about(connection, [recalled.matter_id])
    if notices:
        first = await allot_positions(connection, len(notices))
        await store.move_notices(connection, notices, first=first)
    return recalled


def matter_of(announcement: Announcement, matter_id: int, *, unit_name: str) -> Matter:
    """What an announcement is to those who get it."""
    draft = announcement.draft
    return Matter(
        alert_id=matter_id,
        version=announcement.revision,
        unit_id=announcement.unit_id,
        unit_name=unit_name,
        title_vi=draft.title_vi,
        title_en=draft.title_en or draft.title_vi,
        body_vi=draft.body_vi,
        body_en=draft.body_en or draft.body_vi,
        severity=draft.severity,
        resolved=False,
        taken_by="",
        topic=TOPIC,
        link=f"/notices.html#read={announcement.announcement_id}",
        due_time=draft.due_time,
        announcement_id=announcement.announcement_id,
    )


async def locked(
    connection: AsyncConnection, announcement_id: int, *, units: Collection[int], etag: str = ""
) -> Announcement:
    """Lock an announcement of one of the units. Raises UNKNOWN_ANNOUNCEMENT or STALE_ETAG."""
    return _expected(await announcements.lock_announcement(connection, announcement_id), announcement_id, units, etag)


async def found(connection: AsyncConnection, announcement_id: int, *, units: Collection[int]) -> Announcement:
    """An announcement of one of the units. Raises UNKNOWN_ANNOUNCEMENT."""
    return _expected(await announcements.announcement_of(connection, announcement_id), announcement_id, units, "")


def _expected(held: Announcement | None, announcement_id: int, units: Collection[int], etag: str) -> Announcement:
    if held is None or held.unit_id not in units:
        raise faults.unknown_announcement(announcement_id)
    if etag and etag != held.etag:
        raise faults.stale(held)
    return held


async def _kept(connection: AsyncConnection, announcement: Announcement) -> Announcement:
    await announcements.keep_announcement(connection, announcement)
    return announcement


def _check(draft: Draft, now: datetime) -> None:
    wrong = wrong_form(draft.form)
    if wrong:
        raise faults.invalid("INVALID_FORM", wrong)
    if draft.due_time is not None and draft.due_time <= now:
        vi, en = "Hạn trả lời phải ở tương lai.", "The due time lies in the future."
        raise faults.invalid("INVALID_TIME", [Wrong("draft.due_time", vi, en)])
    if draft.reminder_hours and draft.due_time is None:
        vi, en = "Muốn nhắc tự động thì phải có hạn trả lời.", "Reminders by themselves need a due time."
        raise faults.invalid("INVALID_TIME", [Wrong("draft.reminder_hours", vi, en)])
