"""News against real tables: whom it reaches, why, once, and what they see at the end whatever the order of events."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.alerts.v1 import alerts_pb2

from chassis.database import Database
from chassis.errors import Fault
from chassis.scope_tree import ScopeTree
from services.notify import store
from services.notify.convert import news
from services.notify.domain import Notice, State
from services.notify.usecases import acknowledge_notice, audience_in, deliver_news, place_in, read_notice
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, OTHER_SCHOOL, SCHOOL, SECOND_SCHOOL, change
from tests.support.databases import DatabaseFactory

EVERY_STATE = frozenset(State)


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of notify."""
    return await database_factory("notify")


async def tell(
    database: Database, *changes: alerts_pb2.AlertChange, now: datetime = NOW, tree: ScopeTree | None = None
) -> bool:
    """An event with these changes, as one transaction."""
    told = scenes.event("alerts", "alerts-changed", alerts_pb2.AlertsChanged(changes=changes))
    tree = tree or scenes.tree()
    audience, place = audience_in(tree, NOW.date()), place_in(tree, NOW.date())
    async with database.transaction() as connection:
        return await deliver_news(connection, list(news(told)), audience=audience, place=place, now=now)


async def inbox(database: Database, subject: str) -> list[Notice]:
    """All of somebody's notices."""
    async with database.connection() as connection:
        return await store.list_notices(connection, subject, EVERY_STATE, below=None, limit=1000)


async def changed(database: Database, subject: str, after: int) -> Sequence[Notice]:
    """What somebody who watches sees behind a position."""
    async with database.connection() as connection:
        return await store.changed_after(connection, subject, after=after, limit=1000)


async def test_contacts_of_the_unit_and_of_the_units_above_are_told_and_nobody_else(database):
    """Head teacher, officer and director each get one notice that says why; the next district hears nothing."""
    await tell(database, change("RAISED"))
    reasons = {
        subject: [n.because for n in await inbox(database, subject)] for subject in ("head", "officer", "director")
    }
    assert reasons == {
        "head": ["Hiệu trưởng tại TH Ái Nghĩa"],
        "officer": ["Chuyên viên phụ trách tại Huyện Đại Lộc"],
        "director": ["Lãnh đạo ngành tại Tỉnh Quảng Nam"],
    }
    assert await inbox(database, "other-officer") == []
    [notice] = await inbox(database, "head")
    assert (notice.matter.title_vi, notice.matter.body_en) == ("Lớp 1A có 40 học sinh", "Review and split the class.")
    assert (notice.state, notice.matter.resolved, notice.matter.severity) == (State.UNREAD, False, "warning")


async def test_only_the_roles_of_the_audience_are_told(database):
    """A rule for directors is no matter for officers."""
    await tell(database, change("RAISED", roles=["director"]))
    assert len(await inbox(database, "director")) == 1
    assert await inbox(database, "officer") == []


async def test_somebody_with_two_roles_is_told_once_by_the_nearest(database):
    """Officer of the district and director of the province at once: one notice, for the district."""
    twice = scenes.grants()
    twice[0].subject = "officer"
    audience = audience_in(scenes.tree(grants=twice), NOW.date())
    assert [r.because for r in audience(("officer", "director"), SCHOOL)] == ["Chuyên viên phụ trách tại Huyện Đại Lộc"]


async def test_the_same_raising_in_another_event_delivers_nothing_twice(database):
    """A repeat under another event id finds the notices there."""
    await tell(database, change("RAISED"))
    before = await inbox(database, "officer")
    await tell(database, change("RAISED"))
    assert await inbox(database, "officer") == before


async def test_an_end_that_comes_before_its_beginning_still_ends_resolved(database):
    """RESOLVED first, RAISED after: everybody is told, and sees it as resolved."""
    await tell(database, change("RESOLVED", position=9))
    assert await inbox(database, "officer") == []
    await tell(database, change("RAISED", position=7))
    [notice] = await inbox(database, "officer")
    assert notice.matter.resolved


async def test_who_watches_sees_a_notice_again_when_it_is_taken_and_when_it_is_resolved(database):
    """Each change moves the notice behind the position the watcher was at."""
    await tell(database, change("RAISED", position=7))
    [raised] = await changed(database, "head", 0)
    await tell(database, change("ACKNOWLEDGED", position=8, taken_by="officer"))
    [taken] = await changed(database, "head", raised.position)
    assert (taken.notice_id, taken.matter.taken_by, taken.matter.resolved) == (raised.notice_id, "officer", False)
    await tell(database, change("RESOLVED", position=9, taken_by="officer"))
    [resolved] = await changed(database, "head", taken.position)
    assert (resolved.matter.resolved, resolved.matter.taken_by) == (True, "officer")
    assert await changed(database, "head", resolved.position) == []


async def test_whose_grant_ended_is_not_told_what_becomes_of_an_alert(database):
    """What it says later is not for who has left the unit; those who hold something there see it."""
    await tell(database, change("RAISED", position=7))
    facts = change("ACKNOWLEDGED", position=8, taken_by="director")
    facts.alert.title_vi = "Em B. có nguy cơ bỏ học"
    without = scenes.tree(grants=[one for one in scenes.grants() if one.subject != "officer"])
    await tell(database, facts, tree=without)
    assert await inbox(database, "officer") == []
    for subject in ("head", "director"):
        assert [one.matter.title_vi for one in await inbox(database, subject)] == [facts.alert.title_vi]


@pytest.mark.parametrize(
    ("stood_for_by", "told"), [([SECOND_SCHOOL], ["director", "head"]), ([], ["director", "officer", "head"])]
)
async def test_whose_grant_ended_keeps_a_notice_of_a_unit_only_where_nothing_stands_for_it(
    database, stood_for_by, told
):
    """The officer's has; the director's is above the school that stands for the one that was merged into it."""
    await tell(database, change("RAISED", position=7))
    units = scenes.units()
    [merged] = [unit for unit in units if unit.unit_id == SCHOOL]
    merged.valid_to = NOW.date().isoformat()
    merged.stood_for_by.extend(stood_for_by)
    grants = [one for one in scenes.grants() if one.subject != "officer"]
    after = scenes.tree(units=units, grants=grants)
    await tell(database, change("ACKNOWLEDGED", position=8, taken_by="director"), tree=after)
    assert [one for one in ("director", "officer", "head") if await inbox(database, one)] == told


@pytest.mark.parametrize("repeats", [1, 2])
async def test_a_version_of_the_rule_that_names_others_reaches_them_and_nobody_twice(database, repeats):
    """The director learns of the open alert; who was told sees it again, with what had been read still read."""
    await tell(database, change("RAISED", roles=["officer"]))
    [notice] = await inbox(database, "officer")
    async with database.transaction() as connection:
        await read_notice(connection, "officer", notice.notice_id, now=NOW)
    [read] = await inbox(database, "officer")
    for _ in range(repeats):
        await tell(database, change("CARRIED_OVER", position=8, roles=["officer", "director"]))
    [new] = await inbox(database, "director")
    assert (new.state, new.because, new.matter.alert_id) == (State.UNREAD, "Lãnh đạo ngành tại Tỉnh Quảng Nam", 7)
    [seen_again] = await changed(database, "officer", read.position)
    assert (seen_again.notice_id, seen_again.state) == (read.notice_id, State.READ)
    assert await inbox(database, "head") == []


async def test_a_raising_and_its_carrying_over_in_one_batch_reach_both_audiences(database):
    """The officer of the one and the director of the other, each once, as it is now, also when they come again."""
    raised, carried = change("RAISED", roles=["officer"]), change("CARRIED_OVER", position=8, roles=["director"])
    raised.alert.title_vi = "cũ"
    await tell(database, raised, carried)
    for subject in ("officer", "director"):
        [notice] = await inbox(database, subject)
        assert notice.matter.title_vi == carried.alert.title_vi
    await tell(database, carried, raised)
    assert [len(await inbox(database, subject)) for subject in ("officer", "director", "head")] == [1, 1, 0]


@given(lengths=st.lists(st.integers(1, 3), min_size=1, max_size=4), data=st.data())
@settings(max_examples=40)
async def test_any_order_and_repetition_of_news_ends_with_the_same_inboxes(database, lengths, data):
    """One notice each per alert, showing the last change, however events came, repeated and batched."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("TRUNCATE matter, notice"))
    transitions = ("RAISED", "ACKNOWLEDGED", "RESOLVED")
    told = [
        change(transitions[step], alert_id=alert, position=alert * 10 + step, taken_by="officer" if step else "")
        for alert, length in enumerate(lengths, start=1)
        for step in range(length)
    ]
    sequence = [*data.draw(st.permutations(told)), *data.draw(st.lists(st.sampled_from(told), max_size=5))]
    while sequence:
        count = data.draw(st.integers(1, len(sequence)))
        await tell(database, *sequence[:count])
        sequence = sequence[count:]
    for subject in ("head", "officer", "director"):
        seen = {n.matter.alert_id: (n.matter.resolved, n.matter.taken_by) for n in await inbox(database, subject)}
        assert len(await inbox(database, subject)) == len(lengths)
        assert seen == {
            alert: (length == 3, "officer" if length > 1 else "") for alert, length in enumerate(lengths, start=1)
        }
        assert len(await changed(database, subject, 0)) == len(lengths)


async def test_opening_and_confirming_only_go_forward_and_repeat_without_effect(database):
    """Opened, then confirmed; repeats and going back change neither state, times nor position."""
    await tell(database, change("RAISED"))
    [notice] = await inbox(database, "head")

    async def do(step, minutes):
        async with database.transaction() as connection:
            return await step(connection, "head", notice.notice_id, now=NOW + timedelta(minutes=minutes))

    opened = await do(read_notice, 1)
    assert (opened.state, opened.read_time) == (State.READ, NOW + timedelta(minutes=1))
    assert await do(read_notice, 2) == opened
    confirmed = await do(acknowledge_notice, 3)
    assert (confirmed.state, confirmed.read_time) == (State.ACKNOWLEDGED, opened.read_time)
    assert confirmed.position > opened.position > notice.position
    assert await do(acknowledge_notice, 4) == confirmed
    assert await do(read_notice, 5) == confirmed
    assert await inbox(database, "head") == [confirmed]


async def test_news_of_a_unit_the_tree_does_not_know_yet_is_tried_again(database):
    """It is refused as a whole, so that the event comes back and nobody is forgotten."""
    with pytest.raises(Fault) as refused:
        await tell(database, change("RAISED"), change("RAISED", alert_id=8, position=8, unit_id=999))
    assert refused.value.reason == "UNKNOWN_UNIT"
    assert await inbox(database, "head") == []


async def test_a_unit_without_contacts_keeps_its_matter(database):
    """Nobody to tell is no fault; the others of the batch are told."""
    alone = change("RAISED", alert_id=8, position=8, unit_id=OTHER_SCHOOL, roles=["clerk"])
    await tell(database, alone, change("RAISED"))
    assert len(await inbox(database, "head")) == 1
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM matter")) == 2
