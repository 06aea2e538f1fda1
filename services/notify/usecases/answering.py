"""Lets a reader see and answer an announcement that was sent to him or her. Refuses everybody else's."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from services.notify.domain.announcements import Announcement, Progress, Receipt, Stage
from services.notify.domain.forms import fitted
from services.notify.store import announcements, receipts
from services.notify.usecases import faults
from services.notify.usecases.inbox import acknowledge_notice


async def my_announcement(
    connection: AsyncConnection, announcement_id: int, subject: str
) -> tuple[Announcement, Receipt]:
    """An announcement and how far its reader is. Raises UNKNOWN_ANNOUNCEMENT."""
    held = await announcements.announcement_of(connection, announcement_id)
    receipt = await receipts.receipt_of(connection, held, subject) if held is not None else None
    if held is None or receipt is None or receipt.progress is Progress.WITHDRAWN:
        raise faults.unknown_announcement(announcement_id)
    return held, receipt


async def my_files(connection: AsyncConnection, announcement_id: int, subject: str) -> Announcement:
    """An announcement whose files its reader may have. Raises UNKNOWN_ANNOUNCEMENT, or WRONG_STATE once recalled."""
    held, _ = await my_announcement(connection, announcement_id, subject)
    if held.state is Stage.RECALLED:
        raise faults.wrong_state(
            held,
            "Văn bản này đã được thu hồi: không dùng các tệp kèm theo nữa.",
            "It was recalled: its files are not to be used any more.",
        )
    return held


async def answer(
    connection: AsyncConnection, announcement_id: int, subject: str, answers: dict[str, str], *, now: datetime
) -> tuple[Announcement, Receipt]:
    """Keep what a reader answers, and confirm the notice. Raises INVALID_ANSWER, NO_FORM, TOO_LATE or WRONG_STATE."""
    if not await receipts.lock_receipt(connection, announcement_id, subject):
        raise faults.unknown_announcement(announcement_id)
    held, receipt = await my_announcement(connection, announcement_id, subject)
    if held.state is not Stage.SENT:
        raise faults.wrong_state(held, "Văn bản này không còn nhận trả lời.", "It takes no answers.")
    if not held.draft.form:
        raise faults.no_form(held)
    due = held.draft.due_time
    if receipt.answer_time is not None and due is not None and now > due:
        raise Fault(
            Kind.PRECONDITION,
            "TOO_LATE",
            vi="Đã quá hạn: câu trả lời trước giữ nguyên. Hãy liên hệ đơn vị phát hành nếu cần sửa.",
            en="The due time is over: the earlier answer stands. Ask the issuing unit if it must change.",
        )
    kept, wrong = fitted(held.draft.form, answers)
    if wrong:
        raise faults.invalid("INVALID_ANSWER", wrong)
    await receipts.keep_answers(connection, receipt, kept, now)
    if receipt.notice_id:
        await acknowledge_notice(connection, subject, receipt.notice_id, now=now)
    return held, replace(receipt, answers=kept, answer_time=now)
