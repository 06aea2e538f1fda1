"""Inboxes as their owners see them, through the real interceptors, fed by events on the broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import notify_pb2, notify_pb2_grpc

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock, client
from deploy.local.issuer import Issuer
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, change, notify_replica
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until


@pytest.fixture
async def address(database_factory: DatabaseFactory, bus: Bus, keys: Issuer, scopes_tree) -> AsyncIterator[str]:
    """A running notify."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with notify_replica(await database_factory("notify"), bus, keys, clock=FixedClock(NOW)) as listening:
        yield listening


@pytest.fixture
async def stub_of(address: str, token: Callable[..., str]) -> AsyncIterator[Callable[[str], Any]]:
    """`stub_of(subject)` is that person's view."""
    async with client(address, token("head")) as head, client(address, token("officer")) as officer:
        stubs = {"head": notify_pb2_grpc.InboxServiceStub(head), "officer": notify_pb2_grpc.InboxServiceStub(officer)}
        yield stubs.__getitem__


async def _notices(stub: Any, **wanted: Any) -> list[notify_pb2.Notice]:
    return list((await stub.ListNotices(notify_pb2.ListNoticesRequest(**wanted))).notices)


async def _told(bus: Bus, stub: Any, *changes: alerts_pb2.AlertChange) -> list[notify_pb2.Notice]:
    before = len(await _notices(stub))
    await scenes.publish(bus, "alerts", "alerts-changed", alerts_pb2.AlertsChanged(changes=changes))

    async def arrived() -> list[notify_pb2.Notice]:
        notices = await _notices(stub)
        return notices if len(notices) > before else []

    found: list[notify_pb2.Notice] = await poll_until(arrived)
    return found


async def test_a_notice_says_what_how_grave_and_why_me(bus, stub_of):
    """All an official needs to decide whether to act."""
    [notice] = await _told(bus, stub_of("officer"), change("RAISED"))
    assert (notice.title_vi, notice.unit_name) == ("Lớp 1A có 40 học sinh", "TH Ái Nghĩa")
    assert (notice.severity, notice.because) == ("warning", "Chuyên viên phụ trách tại Huyện Đại Lộc")
    assert (notice.state, notice.resolved, notice.alert_id) == (notify_pb2.NOTICE_STATE_UNREAD, False, 7)


async def test_an_inbox_is_its_owners_alone(bus, stub_of):
    """The same matter lies in two inboxes under two ids; the other's id is unknown to me, to read or to confirm."""
    [mine] = await _told(bus, stub_of("head"), change("RAISED"))
    [theirs] = await _notices(stub_of("officer"))
    assert mine.notice_id != theirs.notice_id
    for method, request in (("ReadNotice", "ReadNoticeRequest"), ("AcknowledgeNotice", "AcknowledgeNoticeRequest")):
        with pytest.raises(Fault) as refused:
            await getattr(stub_of("head"), method)(getattr(notify_pb2, request)(notice_id=theirs.notice_id))
        assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "UNKNOWN_NOTICE")
    assert (await _notices(stub_of("officer")))[0].state == notify_pb2.NOTICE_STATE_UNREAD


async def test_pages_and_states_and_counts_agree(bus, stub_of):
    """Five notices, one opened, one confirmed: counted so, filtered so, paged newest first."""
    head = stub_of("head")
    await _told(bus, head, *(change("RAISED", alert_id=number, position=number) for number in range(1, 6)))
    ids = [notice.notice_id for notice in await _notices(head)]
    await head.ReadNotice(notify_pb2.ReadNoticeRequest(notice_id=ids[0]))
    confirmed = (await head.AcknowledgeNotice(notify_pb2.AcknowledgeNoticeRequest(notice_id=ids[1]))).notice
    assert confirmed.state == notify_pb2.NOTICE_STATE_ACKNOWLEDGED
    assert confirmed.HasField("read_time")
    counts = await head.CountNotices(notify_pb2.CountNoticesRequest())
    assert (counts.unread_count, counts.read_count, counts.acknowledged_count) == (3, 1, 1)
    assert [n.notice_id for n in await _notices(head, states=[notify_pb2.NOTICE_STATE_READ])] == [ids[0]]
    first = await head.ListNotices(notify_pb2.ListNoticesRequest(page_size=3))
    second = await head.ListNotices(notify_pb2.ListNoticesRequest(page_size=3, page_token=first.next_page_token))
    assert [n.notice_id for n in (*first.notices, *second.notices)] == sorted(ids, reverse=True)
    assert not second.next_page_token


async def test_a_watch_beats_first_then_shows_what_comes_and_resumes_without_a_gap(bus, stub_of):
    """New notices, what happens to them, and what happened while nobody watched."""
    head = stub_of("head")
    watch = aiter(head.WatchInbox(notify_pb2.WatchInboxRequest()))
    assert (await anext(watch)).WhichOneof("event") == "heartbeat"
    await scenes.publish(bus, "alerts", "alerts-changed", alerts_pb2.AlertsChanged(changes=[change("RAISED")]))
    async with asyncio.timeout(60):
        item = (await anext(watch)).item
        assert not item.resolved
        await head.ReadNotice(notify_pb2.ReadNoticeRequest(notice_id=item.notice_id))
        item = (await anext(watch)).item
    assert item.state == notify_pb2.NOTICE_STATE_READ
    await watch.aclose()
    await _told(bus, head, change("RESOLVED", position=8), change("RAISED", alert_id=9, position=9))
    resumed = aiter(head.WatchInbox(notify_pb2.WatchInboxRequest(after=item.position)))
    async with asyncio.timeout(60):
        seen = [(await anext(resumed)).item for _ in range(3)][1:]
    assert [(notice.alert_id, notice.resolved) for notice in seen] == [(7, True), (9, False)]


async def test_without_a_token_there_is_no_inbox(address):
    """The caller is who the token says; without one there is nobody."""
    async with client(address) as channel:
        with pytest.raises(Fault) as refused:
            await notify_pb2_grpc.InboxServiceStub(channel).ListNotices(notify_pb2.ListNoticesRequest())
    assert (refused.value.kind, refused.value.reason) == (Kind.UNAUTHENTICATED, "NO_TOKEN")
