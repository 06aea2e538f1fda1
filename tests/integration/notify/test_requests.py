"""What other services ask to be told: delivered once by service, key and revision, with link and due time."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.notify.v1 import notice_requested_pb2, notify_pb2

from chassis.database import Database
from services.notify import store
from services.notify.convert import requests
from services.notify.domain import Matter, News, State
from services.notify.usecases import audience_in, deliver_news, deliver_requests, place_in
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, OTHER_DISTRICT, PROVINCE, SCHOOL, hours
from tests.integration.notify import people
from tests.support.waiting import poll_until


def asked(key: str = "report-due/9", *, revision: int = 1, **more) -> notice_requested_pb2.NoticeRequest:
    """A request to tell the head teacher of a school."""
    due = Timestamp()
    due.FromDatetime(NOW + hours(48))
    fields: dict[str, Any] = {
        "key": key,
        "revision": revision,
        "unit_ids": [SCHOOL],
        "audience_roles": ["head_teacher"],
        "severity": 2,
        "topic": "report",
        "title_vi": f"Báo cáo đến hạn (lần {revision})",
        "body_vi": "Hãy nộp báo cáo.",
        "link": "/reports.html?report=9",
        "due_time": due,
    }
    return notice_requested_pb2.NoticeRequest(**fields | more)


async def test_a_request_arrives_with_link_and_due_time_from_any_service(desk, bus):
    """Each of the four that may ask; the same key of another service is another thing."""
    for source in ("records", "sync", "reporting", "alerts"):
        event = notice_requested_pb2.NoticesRequested(requests=[asked()])
        await scenes.publish(bus, source, "notice-requested", event, event)

    async def arrived() -> bool:
        return len(await desk.notices("head")) == 4

    await poll_until(arrived)
    notice = (await desk.notices("head"))[0]
    assert (notice.link, notice.topic, notice.severity) == ("/reports.html?report=9", "report", "warning")
    assert (notice.unit_name, notice.alert_id) == ("TH Ái Nghĩa", 0)
    assert notice.due_time.ToDatetime().replace(tzinfo=NOW.tzinfo) == NOW + hours(48)
    assert await desk.notices("officer") == []


async def test_a_newer_text_is_told_anew_and_an_older_one_no_more(desk, bus):
    """Opened, then revised: unread again with the new text, in the same place; the old text does not come back."""
    await scenes.publish(
        bus, "reporting", "notice-requested", notice_requested_pb2.NoticesRequested(requests=[asked()])
    )
    await poll_until(lambda: _titles(desk, ["Báo cáo đến hạn (lần 1)"]))
    [first] = await desk.notices("head")
    await desk.call("head", "inbox", "ReadNotice", notify_pb2.ReadNoticeRequest(notice_id=first.notice_id))
    for revision in (3, 2):
        event = notice_requested_pb2.NoticesRequested(requests=[asked(revision=revision, subjects=["officer"])])
        await scenes.publish(bus, "reporting", "notice-requested", event)
    await poll_until(lambda: _titles(desk, ["Báo cáo đến hạn (lần 3)"]))
    [again] = await desk.notices("head")
    assert (again.notice_id, again.state) == (first.notice_id, notify_pb2.NOTICE_STATE_UNREAD)
    assert [notice.because for notice in await desk.notices("officer")] == ["được nêu đích danh"]


async def _titles(desk, titles: list[str]) -> bool:
    return [notice.title_vi for notice in await desk.notices("head")] == titles


@pytest.fixture
async def database(database_factory) -> Database:
    """A fresh database of notify."""
    made: Database = await database_factory("notify")
    return made


async def test_who_decides_from_above_is_told_where_the_asking_service_says_so(desk, bus):
    """Also who administers every unit, and why; of all else that is asked there only the unit's own people hear."""
    roles = ["director", "administrator"]
    requests = [
        asked("extract/1", unit_ids=[PROVINCE], audience_roles=roles, and_above=True),
        asked("report/1", unit_ids=[PROVINCE], audience_roles=roles),
    ]
    event = notice_requested_pb2.NoticesRequested(requests=requests)
    await scenes.publish(bus, "reporting", "notice-requested", event)

    async def arrived() -> bool:
        return len(await desk.notices("director")) == 2

    await poll_until(arrived)
    assert [notice.because for notice in await desk.notices("admin")] == ["Quản trị hệ thống tại mọi đơn vị"]
    assert await desk.notices("officer") == []


@given(
    order=st.permutations([(key, revision) for key in ("a", "b") for revision in (1, 2, 3)]),
    cuts=st.lists(st.integers(1, 6), max_size=6),
)
@settings(max_examples=25)
async def test_any_order_of_requests_ends_with_one_notice_a_key_and_its_newest_text(database, order, cuts):
    """However they were batched."""
    async with database.transaction() as connection:
        await connection.exec_driver_sql("TRUNCATE matter, notice, request")
    audience = audience_in(scenes.tree(units=people.units(), grants=people.grants()), NOW.date())
    waiting = [asked(key, revision=revision) for key, revision in order]
    for count in (*cuts, len(waiting)):
        event = scenes.event(
            "sync", "notice-requested", notice_requested_pb2.NoticesRequested(requests=waiting[:count])
        )
        waiting = waiting[count:]
        async with database.transaction() as connection:
            told = list(requests(event, str))
            await deliver_requests(connection, told, audience=audience, now=NOW)
    async with database.connection() as connection:
        found = await store.list_notices(connection, "head", frozenset(State), below=None, limit=10)
    assert [notice.matter.version for notice in found] == [3, 3]


async def test_when_an_alert_climbs_the_people_at_the_units_named_are_told_and_no_others(database):
    """A superior unit's officers hear of an alert that nobody took; those above them do not."""
    audience = audience_in(scenes.tree(units=people.units(), grants=people.grants()), NOW.date())
    matter = Matter(7, 9, SCHOOL, "TH", "t", "t", "b", "b", "warning", resolved=False, taken_by="")
    climbed = News(
        matter, begins=False, widens=True, audience_roles=("officer", "director"), audience_units=(OTHER_DISTRICT,)
    )
    async with database.transaction() as connection:
        await deliver_news(connection, [climbed], audience=audience, place=place_in(scenes.tree(), NOW.date()), now=NOW)
    async with database.connection() as connection:
        told = {
            subject: len(await store.list_notices(connection, subject, frozenset(State), below=None, limit=10))
            for subject in ("other-officer", "director", "officer", "head")
        }
    assert told == {"other-officer": 1, "director": 0, "officer": 0, "head": 0}
