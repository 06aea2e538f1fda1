"""An open alert says what is known now, and keeps what it was raised with; nobody is told anew."""

from iocedu.alerts.v1 import alerts_pb2

from chassis.database import Database
from services.alerts import store, usecases
from services.alerts.convert import whole_alert_message
from services.alerts.domain import Transition
from tests.integration.alerts.scenes import NOW, SCHOOL, a_class, hours
from tests.integration.alerts.test_life import EVERYWHERE, alter, database, moment, take, the_alert, told

__all__ = ["database"]


async def steps(database: Database, alert_id: int) -> list[tuple[int, int, str]]:
    """Everything that happened to an alert: number, transition, title from then."""
    async with database.connection() as reading:
        found = await store.list_steps(reading, alert_id, after=0, limit=100)
    return [(number, step.transition, step.title_vi) for number, step in found]


async def test_an_open_alert_says_the_newest_numbers_and_keeps_those_it_was_raised_with(database):
    """Texts and facts follow; the history says what was said before, once a day."""
    await take(database, a_class(40))
    [change] = await take(database, a_class(41, version=2), now=NOW + hours(1))
    assert (change.transition, change.told) == (Transition.UPDATED, False)
    await take(database, a_class(42, version=3), now=NOW + hours(2))
    await take(database, a_class(43, version=4), now=NOW + hours(24))
    message = whole_alert_message(await the_alert(database), str)
    assert (message.title_vi, message.facts["size"]) == ("Lớp 1A có 43 học sinh, vượt mức 35", "43")
    assert "43" in message.body_vi
    assert (message.raised_title_vi, message.raised_facts["size"]) == ("Lớp 1A có 40 học sinh, vượt mức 35", "40")
    assert message.facts_time.ToDatetime(tzinfo=NOW.tzinfo) == NOW + hours(24)
    assert message.create_time.ToDatetime(tzinfo=NOW.tzinfo) == NOW
    assert await steps(database, message.alert_id) == [
        (1, Transition.UPDATED, "Lớp 1A có 42 học sinh, vượt mức 35"),
        (2, Transition.UPDATED, "Lớp 1A có 43 học sinh, vượt mức 35"),
    ]
    assert [one.title_vi for one in message.history] == [
        title for _, _, title in await steps(database, message.alert_id)
    ]


async def test_watchers_and_readers_get_the_newest_and_nobody_is_told_anew(database):
    """The change has a position of its own, and names nobody to tell."""
    await take(database, a_class(40))
    raised = await the_alert(database)
    await take(database, a_class(41, version=2))
    async with database.connection() as reading:
        [seen] = await store.changed_after(reading, EVERYWHERE, after=raised.position, limit=10)
    assert seen.title_vi == "Lớp 1A có 41 học sinh, vượt mức 35"
    _, sent = await told(database)
    assert sent.transition == alerts_pb2.ALERT_TRANSITION_UPDATED
    assert (sent.alert.title_vi, list(sent.audience_roles)) == (seen.title_vi, [])


async def test_only_alerts_whose_facts_changed_are_written(database):
    """Of 300 classes told again three grew: three are written, together."""
    await take(database, *(a_class(40, key=f"{number}A2026") for number in range(300)))
    again = (a_class(41 if number < 3 else 40, key=f"{number}A2026", version=2) for number in range(300))
    changes = await take(database, *again)
    assert [change.alert.facts["size"] for change in changes] == ["41", "41", "41"]


async def test_an_alert_that_climbs_says_the_newest_numbers(database):
    """Whoever is told above reads what is so now."""
    await alter(database, "acknowledge_hours = 4")
    await take(database, a_class(40))
    await take(database, a_class(44, version=2), now=NOW + hours(1))
    async with database.transaction() as held:
        count, [change] = await usecases.escalate_overdue(held, moment(NOW + hours(4)), limit=10)
    assert (count, change.transition) == (1, Transition.ESCALATED)
    assert change.alert.title_vi == "Lớp 1A có 44 học sinh, vượt mức 35"


async def test_an_alert_in_somebodys_hands_stays_there_while_its_numbers_change(database):
    """Who took it and with what note is as it was."""
    await take(database, a_class(40))
    alert = await the_alert(database)
    async with database.transaction() as held:
        await usecases.acknowledge_alert(
            held,
            alert.alert_id,
            lies_below=lambda unit_id: unit_id == SCHOOL,
            by="head",
            note="Đang tách lớp.",
            etag=alert.etag,
            now=NOW,
            unit_name=str,
        )
    await take(database, a_class(41, version=2), now=NOW + hours(1))
    seen = await the_alert(database)
    assert (seen.acknowledged_by, seen.note, seen.facts["size"]) == ("head", "Đang tách lớp.", "41")
    assert [one for _, one, _ in await steps(database, alert.alert_id)] == [Transition.ACKNOWLEDGED, Transition.UPDATED]


async def test_an_alert_whose_facts_say_the_same_again_stays_as_it_was_raised(database):
    """Nothing is kept beside it, and nothing leaves."""
    await take(database, a_class(40))
    assert await take(database, a_class(40, version=2), now=NOW + hours(1)) == []
    alert = await the_alert(database)
    assert (alert.raised_title_vi, alert.raised_facts, alert.facts_time) == ("", {}, None)
