"""A wave of alerts arrives as one notice a reader: none is lost, none is told twice, what is urgent waits for none."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import notify_pb2

from chassis.bus import Bus
from chassis.database import Database
from services.notify.domain import Notice, State
from services.notify.store.groups import members_of
from services.notify.usecases import read_notice
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import DISTRICT, NOW, OTHER_SCHOOL, PROVINCE, SCHOOL, SECOND_SCHOOL, change
from tests.integration.notify.test_delivery import changed, inbox, tell
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

READER, PARENT, UNIT = (
    alerts_pb2.ALERT_GROUPING_READER,
    alerts_pb2.ALERT_GROUPING_PARENT,
    alerts_pb2.ALERT_GROUPING_UNIT,
)
PLACES = (SCHOOL, SECOND_SCHOOL, OTHER_SCHOOL)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of notify."""
    return await database_factory("notify")


def told(transition: str, alert_id: int, *, position: int = 0, **more: Any) -> alerts_pb2.AlertChange:
    """A change of an alert of a rule that is told together."""
    given: dict[str, Any] = {"unit_id": PLACES[alert_id % 3], "group_by": READER} | more
    made = change(transition, alert_id=alert_id, position=position or alert_id, **given)
    made.alert.title_vi = f"Lớp {alert_id}"
    return made


async def alerts_in(database: Database, notice: Notice) -> list[int]:
    """The alerts that a notice tells."""
    async with database.connection() as connection:
        members = await members_of(connection, notice.matter.alert_id, below=None, limit=1000)
    return sorted(one.alert_id for one in members)


async def alerts_told(database: Database, subject: str) -> list[int]:
    """All alerts that somebody's notices tell, each as often as it is told."""
    found = [await alerts_in(database, notice) for notice in await inbox(database, subject)]
    return sorted(alert for alerts in found for alert in alerts)


async def waiting(database: Database) -> list[tuple[str, datetime]]:
    """Messages that are to leave: to whom and when."""
    async with database.connection() as connection:
        rows = await connection.execute(sa.text("SELECT subject, due_time FROM delivery ORDER BY subject, due_time"))
        return [(row.subject, row.due_time) for row in rows]


async def test_a_wave_is_one_notice_for_each_reader_by_where_he_or_she_stands(database):
    """Thirty alerts of three schools: the director has one of thirty, the officer one of twenty, a head teacher ten."""
    await tell(database, *(told("RAISED", number) for number in range(1, 31)))
    counts = {
        who: [n.matter.alert_count for n in await inbox(database, who)] for who in ("director", "officer", "head")
    }
    assert counts == {"director": [30], "officer": [20], "head": [10]}
    [notice] = await inbox(database, "officer")
    assert (notice.matter.unit_id, notice.matter.open_count, notice.because) == (
        DISTRICT,
        20,
        "Chuyên viên phụ trách tại Huyện Đại Lộc",
    )
    assert notice.matter.title_vi == "Lớp 30, và 19 cảnh báo cùng loại tại Huyện Đại Lộc"
    assert notice.matter.link == f"/alerts.html#unit={DISTRICT}&rule=class_oversize"


@pytest.mark.parametrize(
    ("group_by", "director", "head"),
    [
        (PARENT, {DISTRICT: 20, scenes.OTHER_DISTRICT: 10}, {SCHOOL: 10}),
        (UNIT, dict.fromkeys(PLACES, 10), {SCHOOL: 10}),
    ],
)
async def test_a_rule_says_what_is_told_together(database, group_by, director, head):
    """By the unit above or by the alert's own: and nobody sees what lies beside his or her unit."""
    await tell(database, *(told("RAISED", number, group_by=group_by) for number in range(1, 31)))
    for subject, wanted in (("director", director), ("head", head)):
        assert {n.matter.unit_id: n.matter.alert_count for n in await inbox(database, subject)} == wanted


async def test_a_lone_alert_reads_as_if_it_stood_alone(database):
    """Its own title, unit and id; only a second one makes it a group."""
    await tell(database, told("RAISED", 3))
    [notice] = await inbox(database, "head")
    assert (notice.matter.title_vi, notice.matter.only_alert_id, notice.matter.unit_id) == ("Lớp 3", 3, SCHOOL)
    await tell(database, told("RAISED", 6))
    [grown] = await inbox(database, "head")
    assert (grown.notice_id, grown.matter.only_alert_id, grown.matter.alert_count) == (notice.notice_id, 0, 2)


async def test_a_group_that_grows_is_unread_again_and_one_that_shrinks_is_only_moved(database):
    """What was read stays read when one is resolved; who watches sees both."""
    await tell(database, told("RAISED", 3), told("RAISED", 6))
    [notice] = await inbox(database, "head")
    async with database.transaction() as connection:
        read = await read_notice(connection, "head", notice.notice_id, now=NOW)
    await tell(database, told("RESOLVED", 3, position=100))
    [shrunk] = await changed(database, "head", read.position)
    assert (shrunk.state, shrunk.matter.open_count, shrunk.matter.resolved) == (State.READ, 1, False)
    await tell(database, told("RAISED", 9))
    [grown] = await changed(database, "head", shrunk.position)
    assert (grown.state, grown.matter.alert_count, grown.matter.open_count) == (State.UNREAD, 3, 2)


async def test_newer_facts_of_an_alert_are_read_in_its_notice_and_tell_nobody_anew(database):
    """What was read stays read, and no message leaves for a number that changed."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("INSERT INTO route VALUES ('head', 'email', 'head@truong.vn', 1)"))
    await tell(database, told("RAISED", 3), told("RAISED", 6, group_by=alerts_pb2.ALERT_GROUPING_NONE))
    sent, before = await waiting(database), await inbox(database, "head")
    async with database.transaction() as connection:
        for notice in before:
            await read_notice(connection, "head", notice.notice_id, now=NOW)
    newer = [told("UPDATED", 3, position=100, roles=()), told("UPDATED", 6, position=101, roles=())]
    for one in newer:
        one.alert.title_vi += ", nay 41 em"
    await tell(database, *newer)
    after = await inbox(database, "head")
    assert {one.matter.title_vi for one in after} == {"Lớp 3, nay 41 em", "Lớp 6, nay 41 em"}
    assert {one.state for one in after} == {State.READ}
    assert [one.notice_id for one in after] == [one.notice_id for one in before]
    assert await waiting(database) == sent


async def test_messages_wait_for_more_and_tell_again_after_the_interval(database):
    """One mail a minute after the first; what comes after it waits until an hour has passed, and is then one mail."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("INSERT INTO route VALUES ('head', 'email', 'head@truong.vn', 1)"))
    first = NOW + timedelta(minutes=1)
    await tell(database, told("RAISED", 3))
    await tell(database, told("RAISED", 6), now=NOW + timedelta(seconds=30))
    assert await waiting(database) == [("head", first)]
    later = NOW + timedelta(minutes=10)
    await tell(database, told("RAISED", 9), now=later)
    await tell(database, told("RAISED", 12), now=later + timedelta(minutes=1))
    assert await waiting(database) == [("head", first), ("head", first + timedelta(hours=1))]


async def test_what_is_urgent_or_climbs_is_told_by_itself_and_at_once(database):
    """A critical alert waits for no group; an alert that climbs stands alone with those it climbs to."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("INSERT INTO route VALUES ('head', 'email', 'head@truong.vn', 1)"))
    urgent = told("RAISED", 3)
    urgent.alert.severity = alerts_pb2.SEVERITY_CRITICAL
    climbed = told("ESCALATED", 6, position=50, roles=["director"])
    climbed.audience_unit_ids.append(PROVINCE)
    await tell(database, urgent, told("RAISED", 6, roles=["head_teacher"]), climbed)
    assert sorted(one.matter.alert_id > 0 for one in await inbox(database, "head")) == [False, True]
    [notice] = [one for one in await inbox(database, "director") if one.matter.alert_id == 6]
    assert notice.matter.alert_count == 0
    assert (("head", NOW)) in await waiting(database)


async def test_a_group_that_is_over_stays_and_the_next_alert_begins_another(database):
    """Two notices, of which the first is resolved."""
    await tell(database, told("RAISED", 3))
    await tell(database, told("RESOLVED", 3, position=50))
    await tell(database, told("RAISED", 6))
    new, old = await inbox(database, "head")
    assert [(one.matter.only_alert_id, one.matter.resolved) for one in (old, new)] == [(3, True), (6, False)]


async def test_who_had_an_alert_by_itself_does_not_get_it_in_a_group_too(database):
    """As when the rule was told one by one before: the officer keeps that notice, the director hears of it once."""
    await tell(database, told("RAISED", 3, group_by=alerts_pb2.ALERT_GROUPING_NONE, roles=["officer"]))
    await tell(database, told("CARRIED_OVER", 3, position=50, roles=["officer", "director"]))
    assert [one.matter.alert_id for one in await inbox(database, "officer")] == [3]
    assert await alerts_told(database, "director") == [3]


async def test_who_is_no_reader_any_more_sees_nothing_that_comes_after(database):
    """Whose grant ended loses the notice once it says something else, and its messages; all others keep it."""
    async with database.transaction() as connection:
        for subject in ("officer", "director"):
            await connection.execute(
                sa.text("INSERT INTO route VALUES (:subject, 'email', 'a@truong.vn', 1)"), {"subject": subject}
            )
    await tell(database, told("RAISED", 3, group_by=PARENT))
    without = scenes.tree(grants=[one for one in scenes.grants() if one.subject != "officer"])
    assert await alerts_told(database, "officer") == [3]
    news = told("ACKNOWLEDGED", 3, position=50, group_by=PARENT)
    news.alert.title_vi = "Em B. có nguy cơ bỏ học"
    await tell(database, news, tree=without)
    assert await inbox(database, "officer") == []
    assert [one.matter.title_vi for one in await inbox(database, "director")] == [news.alert.title_vi]
    await tell(database, told("RAISED", 6, group_by=PARENT), tree=without)
    assert await inbox(database, "officer") == []
    assert {subject for subject, _ in await waiting(database)} == {"director"}
    assert await alerts_told(database, "director") == await alerts_told(database, "head") == [3, 6]


async def test_who_has_one_alert_by_itself_keeps_the_group_of_the_others(database):
    """It grows by that alert for the others; for this reader nothing is new."""
    roles = ["officer", "director"]
    await tell(database, told("RAISED", 6, group_by=PARENT, roles=roles))
    await tell(database, told("RAISED", 3, group_by=alerts_pb2.ALERT_GROUPING_NONE, roles=["officer"]))
    await tell(database, told("CARRIED_OVER", 3, position=50, group_by=PARENT, roles=roles))
    assert await alerts_told(database, "director") == [3, 6]
    assert sorted(one.matter.alert_id > 0 for one in await inbox(database, "officer")) == [False, True]


async def test_an_alert_that_is_opened_again_is_news_in_its_group(database):
    """The notice is unread again, and counts it as open."""
    await tell(database, told("RAISED", 3), told("RAISED", 6))
    await tell(database, told("RESOLVED", 3, position=50))
    [notice] = await inbox(database, "head")
    async with database.transaction() as connection:
        await read_notice(connection, "head", notice.notice_id, now=NOW)
    await tell(database, told("REOPENED", 3, position=60))
    [again] = await inbox(database, "head")
    assert (again.state, again.matter.open_count, again.matter.alert_count) == (State.UNREAD, 2, 2)


@given(lengths=st.lists(st.integers(1, 3), min_size=1, max_size=5), data=st.data())
@settings(max_examples=30)
async def test_any_order_and_repetition_tells_each_alert_once_and_counts_right(database, lengths, data):
    """Whatever comes when, each alert is in one notice of each reader, and a group's numbers are a recount."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("TRUNCATE matter, notice, alert_group, group_member"))
    transitions = ("RAISED", "ACKNOWLEDGED", "RESOLVED")
    sent = [
        told(transitions[step], alert, position=alert * 10 + step, unit_id=SCHOOL)
        for alert, length in enumerate(lengths, start=1)
        for step in range(length)
    ]
    sequence = [*data.draw(st.permutations(sent)), *data.draw(st.lists(st.sampled_from(sent), max_size=5))]
    while sequence:
        count = data.draw(st.integers(1, len(sequence)))
        await tell(database, *sequence[:count])
        sequence = sequence[count:]
    resolved = {alert for alert, length in enumerate(lengths, start=1) if length == 3}
    for subject in ("head", "officer", "director"):
        assert await alerts_told(database, subject) == list(range(1, len(lengths) + 1))
        for notice in await inbox(database, subject):
            within = await alerts_in(database, notice)
            assert notice.matter.alert_count == len(within)
            assert notice.matter.open_count == len(set(within) - resolved)
            assert notice.matter.resolved is (set(within) <= resolved)


async def test_a_reader_lists_the_alerts_of_a_notice_and_nobody_elses(desk, bus: Bus):
    """Page by page, newest first, each with what became of it."""
    sent: Sequence[alerts_pb2.AlertChange] = [told("RAISED", number, unit_id=SCHOOL) for number in range(1, 6)]
    sent = [*sent, told("RESOLVED", 2, position=100, unit_id=SCHOOL, taken_by="officer")]
    await scenes.publish(bus, "alerts", "alerts-changed", alerts_pb2.AlertsChanged(changes=sent))
    await poll_until(lambda: desk.number("SELECT count(*) FROM notice WHERE subject = 'head'"))
    [notice] = await desk.notices("head")
    assert (notice.alert_count, notice.open_count, notice.alert_id) == (5, 4, 0)

    request = notify_pb2.ListNoticeAlertsRequest(notice_id=notice.notice_id, page_size=3)
    first = await desk.call("head", "inbox", "ListNoticeAlerts", request)
    request.page_token = first.next_page_token
    second = await desk.call("head", "inbox", "ListNoticeAlerts", request)
    listed = [*first.alerts, *second.alerts]
    assert [one.alert_id for one in listed] == [5, 4, 3, 2, 1]
    assert [(one.alert_id, one.taken_by) for one in listed if one.resolved] == [(2, "officer")]
    assert second.next_page_token == ""
    with pytest.raises(Exception, match="UNKNOWN_NOTICE"):
        await desk.call(
            "officer", "inbox", "ListNoticeAlerts", notify_pb2.ListNoticeAlertsRequest(notice_id=notice.notice_id)
        )
