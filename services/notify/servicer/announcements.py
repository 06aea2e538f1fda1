"""AnnouncementsService: writing announcements and sending them."""

from collections.abc import Awaitable, Callable
from typing import Any

from iocedu.notify.v1 import announcement_pb2, announcements_pb2, announcements_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.paging import page_cursor, page_size, page_token
from services.notify.convert.announcements import (
    announcement_message,
    audience_of,
    draft_of,
    instant,
    preview_message,
)
from services.notify.domain.announcements import Announcement
from services.notify.domain.attachments import FileRules
from services.notify.servicer.frame import Frame
from services.notify.store.announcements import expect_content, list_announcements
from services.notify.store.objects import NoRoomError, Objects
from services.notify.usecases import announcements as usecases
from services.notify.usecases.attaching import attach, checked_file, no_room

MOST_LISTED = 200


class AnnouncementsServicer(announcements_pb2_grpc.AnnouncementsServiceServicer):
    """Serves `iocedu.notify.v1.AnnouncementsService`."""

    def __init__(self, frame: Frame, objects: Objects, files: FileRules) -> None:
        self._frame = frame
        self._objects = objects
        self._files = files

    async def PreviewAudience(
        self, request: announcements_pb2.PreviewAudienceRequest, _context: Any
    ) -> announcements_pb2.PreviewAudienceResponse:
        """Say whom an audience would reach now."""
        unit_id, rule = self._frame.unit(request.unit), audience_of(request.audience)
        async with self._frame.database.connection() as connection:
            reach = await usecases.audience_now(connection, rule, unit_id, self._frame.scene(), path="audience")
        return announcements_pb2.PreviewAudienceResponse(preview=preview_message(reach, self._frame.named()))

    async def CreateAnnouncement(
        self, request: announcements_pb2.CreateAnnouncementRequest, _context: Any
    ) -> announcements_pb2.CreateAnnouncementResponse:
        """Begin an announcement."""
        unit_id, scene = self._frame.unit(request.unit), self._frame.scene()
        async with self._frame.database.transaction() as connection:
            begun = await usecases.create_announcement(
                connection, unit_id, draft_of(request.draft), scene, request_id=request.request_id
            )
        return announcements_pb2.CreateAnnouncementResponse(announcement=self._shown(begun))

    async def UpdateAnnouncement(
        self, request: announcements_pb2.UpdateAnnouncementRequest, _context: Any
    ) -> announcements_pb2.UpdateAnnouncementResponse:
        """Replace what an announcement says."""
        scene, draft = self._frame.scene(), draft_of(request.draft)
        changed = await self._step(
            request, lambda connection, held: usecases.update_announcement(connection, held, draft, scene)
        )
        return announcements_pb2.UpdateAnnouncementResponse(announcement=changed)

    async def AddAttachment(
        self, request: announcements_pb2.AddAttachmentRequest, _context: Any
    ) -> announcements_pb2.AddAttachmentResponse:
        """Attach a file: its content first, so that no announcement ever names a file that is not there."""
        units = self._frame.below(request.unit)
        async with self._frame.database.connection() as connection:
            held = await usecases.found(connection, request.announcement_id, units=units)
        file = checked_file(held, request.name, request.content, self._files)
        async with self._frame.database.transaction() as connection:
            await expect_content(connection, file.sha256, now=self._frame.clock.now())
        try:
            await self._objects.put(file.sha256, request.content)
        except NoRoomError:
            raise no_room() from None

        async def attached(connection: AsyncConnection, held: Announcement) -> Announcement:
            return await attach(connection, held, checked_file(held, request.name, request.content, self._files))

        return announcements_pb2.AddAttachmentResponse(announcement=await self._step(request, attached))

    async def ApproveAnnouncement(
        self, request: announcements_pb2.ApproveAnnouncementRequest, _context: Any
    ) -> announcements_pb2.ApproveAnnouncementResponse:
        """Approve a draft as it stands."""
        scene = self._frame.scene()
        approved = await self._step(
            request, lambda connection, held: usecases.approve_announcement(connection, held, scene)
        )
        return announcements_pb2.ApproveAnnouncementResponse(announcement=approved)

    async def ScheduleAnnouncement(
        self, request: announcements_pb2.ScheduleAnnouncementRequest, _context: Any
    ) -> announcements_pb2.ScheduleAnnouncementResponse:
        """Let an announcement leave at a time, or now."""
        scene = self._frame.scene()
        at = instant(request.send_time) if request.HasField("send_time") else None
        scheduled = await self._step(
            request,
            lambda connection, held: usecases.schedule_announcement(connection, held, scene, send_time=at),
        )
        return announcements_pb2.ScheduleAnnouncementResponse(announcement=scheduled)

    async def RecallAnnouncement(
        self, request: announcements_pb2.RecallAnnouncementRequest, _context: Any
    ) -> announcements_pb2.RecallAnnouncementResponse:
        """Take an announcement back."""
        scene, reason = self._frame.scene(), request.reason.strip()
        recalled = await self._step(
            request, lambda connection, held: usecases.recall_announcement(connection, held, scene, reason=reason)
        )
        return announcements_pb2.RecallAnnouncementResponse(announcement=recalled)

    async def GetAnnouncement(
        self, request: announcements_pb2.GetAnnouncementRequest, _context: Any
    ) -> announcements_pb2.GetAnnouncementResponse:
        """Give an announcement."""
        units = self._frame.below(request.unit)
        async with self._frame.database.connection() as connection:
            held = await usecases.found(connection, request.announcement_id, units=units)
        return announcements_pb2.GetAnnouncementResponse(announcement=self._shown(held))

    async def ListAnnouncements(
        self, request: announcements_pb2.ListAnnouncementsRequest, _context: Any
    ) -> announcements_pb2.ListAnnouncementsResponse:
        """List the announcements of a unit and of those below it, the newest first."""
        size = page_size(request.page_size, default=50, maximum=MOST_LISTED)
        cursor = page_cursor(request)
        async with self._frame.database.connection() as connection:
            found = await list_announcements(
                connection,
                self._frame.below(request.unit),
                request.states,
                below=int(cursor[0]) if cursor else None,
                limit=size + 1,
            )
        response = announcements_pb2.ListAnnouncementsResponse(announcements=map(self._shown, found[:size]))
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].announcement_id])
        return response

    async def _step(
        self, request: Any, step: Callable[[AsyncConnection, Announcement], Awaitable[Announcement]]
    ) -> announcement_pb2.Announcement:
        """Take a step on the announcement that a request names, as it names it."""
        units, etag = self._frame.below(request.unit), getattr(request, "etag", "")
        async with self._frame.database.transaction() as connection:
            held = await usecases.locked(connection, request.announcement_id, units=units, etag=etag)
            changed = await step(connection, held)
        self._frame.wake()
        return self._shown(changed)

    def _shown(self, announcement: Announcement) -> announcement_pb2.Announcement:
        return announcement_message(announcement, self._frame.named())
