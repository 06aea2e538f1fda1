"""A province with many readers, and requests that write announcements, for the tests of notify."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from iocedu.chassis.v1 import scopes_pb2
from iocedu.notify.v1 import (
    announcement_pb2,
    announcements_pb2,
    announcements_pb2_grpc,
    audience_pb2,
    channels_pb2_grpc,
    deliveries_pb2_grpc,
    my_announcements_pb2_grpc,
    notice_requested_pb2,
    notify_pb2,
    notify_pb2_grpc,
    receipts_pb2_grpc,
)

from chassis.database import Database
from chassis.testing import client
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import OTHER_SCHOOL, PROVINCE, SCHOOL, SECOND_SCHOOL
from tests.support.waiting import poll_until

PRIMARY, LOWER_SECONDARY = "level:02", "level:03"
HEADS = ("head", "second-head", "other-head")


def units() -> list[scopes_pb2.ScopeUnit]:
    """The province of the alerts' tests; two schools are primary schools, the other district's is not."""
    made = scenes.units()
    labels = {SCHOOL: PRIMARY, SECOND_SCHOOL: PRIMARY, OTHER_SCHOOL: LOWER_SECONDARY}
    for unit in made:
        unit.labels.extend([labels[unit.unit_id]] if unit.unit_id in labels else [])
    return made


def grants() -> list[scopes_pb2.ScopeGrant]:
    """The same people, a head teacher for every school, and an administrator of everything."""
    held = [("second-head", "head_teacher", SECOND_SCHOOL), ("other-head", "head_teacher", OTHER_SCHOOL)]
    held += [("admin", "administrator", 0)]
    more = [
        scopes_pb2.ScopeGrant(grant_id=number, subject=subject, role=role, unit_id=unit_id, edge_type="administrative")
        for number, (subject, role, unit_id) in enumerate(held, start=50)
    ]
    return [*scenes.grants(), *more]


def group(unit: int = PROVINCE, *, roles: Sequence[str] = ("head_teacher",), **more: Any) -> audience_pb2.AudienceGroup:
    """Who holds roles below a unit; schools unless it says otherwise."""
    return audience_pb2.AudienceGroup(unit=str(unit), roles=roles, **({"kinds": ["school"]} | more))


def draft(*groups: audience_pb2.AudienceGroup, **more: Any) -> announcement_pb2.AnnouncementDraft:
    """What a writer says, to the head teachers of all schools unless told otherwise."""
    audience = more.pop("audience", audience_pb2.Audience(groups=groups or [group()]))
    given: dict[str, Any] = {"title_vi": "Báo cáo phòng chống bão", "body_vi": "Các trường báo cáo thiệt hại."}
    given |= {"severity": 2} | more
    return announcement_pb2.AnnouncementDraft(audience=audience, **given)


@dataclass
class Desk:
    """Everybody's view of a running notify."""

    address: str
    token: Callable[..., str]
    database: Database

    @asynccontextmanager
    async def channel(self, subject: str) -> AsyncIterator[Any]:
        """A channel as somebody."""
        async with client(self.address, self.token(subject)) as channel:
            yield channel

    async def call(self, subject: str, service: str, method: str, request: Any) -> Any:
        """Call a method as somebody."""
        stubs = {
            "announcements": announcements_pb2_grpc.AnnouncementsServiceStub,
            "receipts": receipts_pb2_grpc.ReceiptsServiceStub,
            "mine": my_announcements_pb2_grpc.MyAnnouncementsServiceStub,
            "inbox": notify_pb2_grpc.InboxServiceStub,
            "channels": channels_pb2_grpc.ChannelsServiceStub,
            "deliveries": deliveries_pb2_grpc.DeliveriesServiceStub,
        }
        async with self.channel(subject) as channel:
            return await getattr(stubs[service](channel), method)(request)

    async def create(
        self, what: announcement_pb2.AnnouncementDraft, *, unit: int = PROVINCE, by: str = "director"
    ) -> Any:
        """Begin an announcement."""
        request = announcements_pb2.CreateAnnouncementRequest(unit=str(unit), draft=what)
        return (await self.call(by, "announcements", "CreateAnnouncement", request)).announcement

    async def step(self, verb: str, announcement: Any, *, by: str = "director", **more: Any) -> Any:
        """Approve, schedule or recall one."""
        request = getattr(announcements_pb2, f"{verb}AnnouncementRequest")(
            unit=str(announcement.unit_id), announcement_id=announcement.announcement_id, **more
        )
        return (await self.call(by, "announcements", f"{verb}Announcement", request)).announcement

    async def send(self, what: announcement_pb2.AnnouncementDraft, **more: Any) -> Any:
        """Begin, approve and send one now, and wait until everybody has it."""
        begun = await self.create(what, **more)
        await self.step("Approve", begun)
        await self.step("Schedule", begun)
        await self.delivered(begun.announcement_id)
        return await self.step("Get", begun)

    async def delivered(self, announcement_id: int) -> None:
        """Wait until an announcement was sent and nobody awaits it."""

        async def done() -> bool:
            sent = f"SELECT count(*) FROM announcement WHERE announcement_id = {announcement_id} AND state = 4"
            awaited = f"SELECT count(*) FROM receipt WHERE announcement_id = {announcement_id} AND progress = 1"
            return await self.number(sent) == 1 and await self.number(awaited) == 0

        await poll_until(done)

    async def number(self, question: str) -> int:
        """A number from the database."""
        async with self.database.connection() as reading:
            return int(await reading.scalar(sa.text(question)) or 0)

    async def notices(self, subject: str) -> list[notify_pb2.Notice]:
        """Somebody's inbox."""
        listed = await self.call(subject, "inbox", "ListNotices", notify_pb2.ListNoticesRequest(page_size=1000))
        return list(listed.notices)

    async def confirm(self, subject: str) -> None:
        """Confirm all that lies in somebody's inbox."""
        for notice in await self.notices(subject):
            request = notify_pb2.AcknowledgeNoticeRequest(notice_id=notice.notice_id)
            await self.call(subject, "inbox", "AcknowledgeNotice", request)

    async def together(self, *calls: Any) -> list[Any]:
        """Await calls at once."""
        return list(await asyncio.gather(*calls))


def asking(subjects: Sequence[str]) -> notice_requested_pb2.NoticesRequested:
    """A service asks for people to be told by name."""
    asked = notice_requested_pb2.NoticeRequest(
        key="many", revision=1, subjects=subjects, severity=2, title_vi="Báo cáo đến hạn", body_vi="Hãy nộp."
    )
    return notice_requested_pb2.NoticesRequested(requests=[asked])
