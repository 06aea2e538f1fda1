"""MyAnnouncementsService: an announcement as its reader sees and answers it. Whose it is, the token says."""

from typing import Any

from iocedu.notify.v1 import my_announcements_pb2, my_announcements_pb2_grpc

from chassis.access import caller_may
from chassis.errors import Fault, Kind
from chassis.identity import caller
from services.notify.convert.announcements import answers_of, attachment_message, my_announcement_message
from services.notify.domain.announcements import Announcement
from services.notify.servicer.frame import Frame
from services.notify.store.announcements import announcement_of
from services.notify.store.objects import Objects
from services.notify.usecases.answering import answer, my_announcement, my_files

READERS = frozenset({"administrator", "director", "officer", "auditor", "head_teacher", "clerk"})


class MyAnnouncementsServicer(my_announcements_pb2_grpc.MyAnnouncementsServiceServicer):
    """Serves `iocedu.notify.v1.MyAnnouncementsService`."""

    def __init__(self, frame: Frame, objects: Objects) -> None:
        self._frame = frame
        self._objects = objects

    async def GetMyAnnouncement(
        self, request: my_announcements_pb2.GetMyAnnouncementRequest, _context: Any
    ) -> my_announcements_pb2.GetMyAnnouncementResponse:
        """Give an announcement that was sent to the caller."""
        async with self._frame.database.connection() as connection:
            held, receipt = await my_announcement(connection, request.announcement_id, caller().subject)
        shown = my_announcement_message(held, receipt, self._frame.named())
        return my_announcements_pb2.GetMyAnnouncementResponse(announcement=shown)

    async def AnswerAnnouncement(
        self, request: my_announcements_pb2.AnswerAnnouncementRequest, _context: Any
    ) -> my_announcements_pb2.AnswerAnnouncementResponse:
        """Answer the form."""
        async with self._frame.database.transaction() as connection:
            held, receipt = await answer(
                connection,
                request.announcement_id,
                caller().subject,
                answers_of(request.answers),
                now=self._frame.clock.now(),
            )
        self._frame.wake()
        shown = my_announcement_message(held, receipt, self._frame.named())
        return my_announcements_pb2.AnswerAnnouncementResponse(announcement=shown)

    async def GetAttachment(
        self, request: my_announcements_pb2.GetAttachmentRequest, _context: Any
    ) -> my_announcements_pb2.GetAttachmentResponse:
        """Give a file of an announcement."""
        async with self._frame.database.connection() as connection:
            held = await announcement_of(connection, request.announcement_id)
            if held is None or not self._may_see(held):
                held = await my_files(connection, request.announcement_id, caller().subject)
        file = next((one for one in held.attachments if one.attachment_id == request.attachment_id), None)
        content = await self._objects.get(file.sha256) if file else None
        if file is None or content is None:
            raise _unknown_attachment(request.attachment_id)
        return my_announcements_pb2.GetAttachmentResponse(attachment=attachment_message(file), content=content)

    def _may_see(self, held: Announcement) -> bool:
        return caller_may(self._frame.tree, READERS, held.unit_id, self._frame.today)


def _unknown_attachment(attachment_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_ATTACHMENT",
        vi="Văn bản không có tệp này, hoặc nội dung tệp không còn.",
        en="The announcement has no such file, or its content is gone.",
        metadata={"attachment_id": str(attachment_id)},
    )
