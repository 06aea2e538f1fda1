"""Notify confirms an erasure: nobody is told of the person any more, in inboxes, answers, queues and dead letters."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import announcement_pb2, announcements_pb2, my_announcements_pb2
from iocedu.records.v1 import erasures_pb2, resources_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import dead_letters
from chassis.bus import Bus
from chassis.database import Database
from services.notify.convert.erasing import erasure_of
from services.notify.convert.rules import load_channel_rules
from services.notify.domain import State
from services.notify.domain.bounces import Bounce, Fate
from services.notify.domain.channels import Contact
from services.notify.domain.erasing import MASK, TITLES, masked, mentions
from services.notify.store.contacts import contacts_of, keep_contacts, lock_subjects
from services.notify.store.objects import Objects
from services.notify.usecases import erase
from services.notify.usecases.attaching import GRACE, discard_contents
from services.notify.usecases.bouncing import take_bounce
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, SCHOOL, SECOND_SCHOOL, change
from tests.integration.notify.people import draft, group
from tests.integration.notify.test_delivery import inbox, tell
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until, waits_for_a_lock

PUPIL, STAFF = resources_pb2.OBJECT_TYPE_PUPIL, resources_pb2.OBJECT_TYPE_STAFF_MEMBER


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of notify."""
    return await database_factory("notify")


def about(key: str, alert_id: int, *, unit_id: int = SCHOOL) -> alerts_pb2.AlertChange:
    """An alert on a pupil."""
    raised = change("RAISED", alert_id=alert_id, position=alert_id, unit_id=unit_id)
    raised.alert.title_vi = f"Học sinh {key} (lớp 6A) đã nghỉ 31 buổi"
    raised.alert.subject = f"2026/{key}"
    raised.alert.facts["pupil_key"] = key
    return raised


def requested(*keys: str, kind: int = PUPIL, restricted: bool = False) -> erasures_pb2.ErasuresRequested:
    """What records asks."""
    named = [erasures_pb2.RecordKeys(type=resources_pb2.ObjectType.ValueType(kind), keys=keys)]
    told = {"restricted" if restricted else "erased": named}
    return erasures_pb2.ErasuresRequested(school_id=SCHOOL, data_request_id=7, **told)


async def handle(database: Database, event: erasures_pb2.ErasuresRequested, accounts: Sequence[str] = ()) -> bool:
    """Handle it."""
    erasure = erasure_of(event.SerializeToString())
    async with database.transaction() as connection:
        return await erase(connection, erasure, asking=["records"], accounts=accounts, unit_name=str, now=NOW)


async def sent(connection: AsyncConnection, subject: str) -> UUID:
    """A mail that was accepted; its id."""
    row = await connection.execute(
        sa.text(
            "INSERT INTO dispatch (dispatch_id, channel, subject, address, priority, state, attempt_count, next_time,"
            " create_time) VALUES (gen_random_uuid(), 'email', :one, :one || '@truong.vn', 1, 3, 1, now(), now())"
            " RETURNING dispatch_id"
        ),
        {"one": subject},
    )
    found: UUID = row.scalar_one()
    return found


async def returned(connection: AsyncConnection, dispatch_id: UUID, fate: Fate, digest: str = "") -> None:
    """A notification about it that names the address."""
    rules, _ = load_channel_rules()
    bounce = Bounce(fate, "5.1.1", "550 head@truong.vn: no such user")
    await take_bounce(connection, dispatch_id, bounce, digest=digest, rules=rules, now=NOW)


async def confirmed(database: Database) -> list[erasures_pb2.ErasuresConfirmed]:
    """What was confirmed, also what has left."""
    async with database.connection() as connection:
        rows = await connection.execute(sa.text("SELECT payload FROM outbox WHERE event = 'erasures-confirmed'"))
        return [erasures_pb2.ErasuresConfirmed.FromString(row.payload) for row in rows]


async def test_a_notice_about_the_pupil_says_that_it_was_erased_and_others_stay(database):
    """HS1 goes at this school; HS10, and the HS1 of another school, are other people."""
    await tell(database, about("HS1", 7), about("HS10", 8), about("HS1", 9, unit_id=SECOND_SCHOOL))
    before = {one.matter.alert_id: one for one in await inbox(database, "officer")}

    assert await handle(database, requested("HS1"))

    after = {one.matter.alert_id: one for one in await inbox(database, "officer")}
    assert after[7].matter.title_vi == TITLES[0]
    assert after[7].position > before[7].position
    assert (after[8], after[9]) == (before[8], before[9])
    [one] = await confirmed(database)
    assert (one.service, one.school_id, one.data_request_id, one.erased_count) == ("notify", SCHOOL, 7, 1)


async def test_a_group_loses_the_erased_alert_and_tells_the_others(database):
    """Its text and list name the rest, and the mail about the rest still leaves."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("INSERT INTO route VALUES ('head', 'email', 'head@truong.vn', 1)"))
    pupils = [about("HS1", 7), about("HS2", 8)]
    for one in pupils:
        one.group_by = alerts_pb2.ALERT_GROUPING_READER
    await tell(database, *pupils)
    await handle(database, requested("HS1"))
    [notice] = await inbox(database, "head")
    assert "HS1" not in notice.matter.title_vi + notice.matter.body_vi
    assert "HS2" in notice.matter.title_vi
    assert notice.matter.alert_count == 2
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM delivery WHERE subject = 'head'")) == 1


async def test_news_under_way_says_nothing_of_who_was_erased(database):
    """An alert that was raised before and arrives after is told without its texts, whatever the order of events."""
    await handle(database, requested("HS1"))
    await tell(database, about("HS1", 7))
    [notice] = await inbox(database, "head")
    assert (notice.matter.title_vi, notice.state) == (TITLES[0], State.UNREAD)


async def test_a_message_that_waits_does_not_leave_any_more(database):
    """What is queued for a channel is dropped; another matter's stays."""
    async with database.transaction() as connection:
        await connection.execute(sa.text("INSERT INTO route VALUES ('head', 'email', 'head@truong.vn', 1)"))
    await tell(database, about("HS1", 7), about("HS2", 8))
    await handle(database, requested("HS1"))
    async with database.connection() as connection:
        assert list(await connection.scalars(sa.text("SELECT matter_id FROM delivery"))) == [8]


async def test_restricted_persons_are_told_of_no_more_until_that_is_lifted(database):
    """What was told goes; what is raised once the restriction is lifted is told again."""
    await tell(database, about("HS1", 7))
    await handle(database, requested("HS1", restricted=True))
    await tell(database, about("HS1", 8))
    titles = {one.matter.alert_id: one.matter.title_vi for one in await inbox(database, "head")}
    assert titles == {7: TITLES[0], 8: about("HS1", 8).alert.title_vi}


async def test_staff_lose_addresses_and_the_history_of_messages_and_nobody_else_does(database):
    """An account called as the record: contact, preferences, webhook, queue, tries; erased, the inbox too."""
    tables = {
        "contact": "'{0}', '{0}@truong.vn', '', 'vi', '', '', now()",
        "preference": "'{0}', 'email', true, 1",
        "route": "'{0}', 'email', '{0}@truong.vn', 1",
    }
    async with database.transaction() as connection:
        for subject in ("head", "officer"):
            for table, values in tables.items():
                await connection.execute(sa.text(f"INSERT INTO {table} VALUES ({values.format(subject)})"))
            await sent(connection, subject)
    await tell(database, change("RAISED"))
    await handle(database, requested("head", kind=STAFF), accounts=["head"])

    left = {}
    async with database.connection() as connection:
        for table in (*tables, "dispatch", "delivery", "notice"):
            left[table] = set(await connection.scalars(sa.text(f"SELECT subject FROM {table}")))
    assert left == {one: {"officer"} for one in (*tables, "dispatch", "delivery")} | {"notice": {"officer", "director"}}


async def test_dead_letters_lose_what_was_erased(database):
    """A raising that was given up is replayed without the person."""
    event = scenes.event("alerts", "alerts-changed", alerts_pb2.AlertsChanged(changes=[about("HS1", 7)]))
    await dead_letters.keep(database, "notify-alerts-changed", event, ValueError("broken"))
    await handle(database, requested("HS1"))
    [letter] = await dead_letters.following(database, [], after=0, limit=10)
    assert b"HS1" not in letter.event.data
    [left] = alerts_pb2.AlertsChanged.FromString(letter.event.data).changes
    assert (left.alert.title_vi, left.alert.alert_id) == (TITLES[0], 7)


async def test_answers_announcements_and_files_lose_the_key_and_keep_the_rest(desk, bus: Bus):
    """What people wrote is not thrown away: the key alone is; a file named after the pupil goes, with its content."""
    pdf = b"%PDF-1.4 ho so " + b"x" * 100
    form = [announcement_pb2.FormField(name="ghi_chu", label="Ghi chú", type=announcement_pb2.FIELD_TYPE_TEXT)]
    what = draft(group(SCHOOL), title_vi="Hồ sơ em HS1", form=form)
    begun = await desk.create(what, unit=SCHOOL, by="director")
    request: dict[str, Any] = {"unit": str(SCHOOL), "announcement_id": begun.announcement_id}
    await desk.step("Approve", begun)
    attached = announcements_pb2.AddAttachmentRequest(name="HS1.pdf", content=pdf, **request)
    [file] = (await desk.call("director", "announcements", "AddAttachment", attached)).announcement.attachments
    await desk.step("Approve", begun)
    await desk.step("Schedule", begun)
    await desk.delivered(begun.announcement_id)
    answer = my_announcements_pb2.AnswerAnnouncementRequest(
        announcement_id=begun.announcement_id, answers={"ghi_chu": "Em HS1 nghỉ vì ốm"}
    )
    await desk.call("head", "mine", "AnswerAnnouncement", answer)

    await scenes.publish(bus, "records", "erasures-requested", requested("HS1"))
    await poll_until(lambda: desk.number("SELECT count(*) FROM erased_key"))

    [notice] = [one for one in await desk.notices("head") if one.announcement_id == begun.announcement_id]
    assert notice.title_vi == f"Hồ sơ em {MASK}"
    mine = my_announcements_pb2.GetMyAnnouncementRequest(announcement_id=begun.announcement_id)
    seen = (await desk.call("head", "mine", "GetMyAnnouncement", mine)).announcement
    assert seen.answers["ghi_chu"] == f"Em {MASK} nghỉ vì ốm"
    assert list(seen.attachments) == []
    objects = Objects(bus, most_bytes=4 * 1024**3)
    assert await objects.get(file.sha256) == pdf
    async with desk.database.transaction() as connection:
        assert await discard_contents(connection, objects.delete, now=NOW + GRACE + timedelta(seconds=1)) == 1
    assert await objects.get(file.sha256) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Em HS1.2026, lớp 6A", True),
        ("HS1.20267", False),
        ("xHS1.2026", False),
        ("(HS1.2026)", True),
        ("HS1x2026", False),
    ],
)
def test_a_key_is_found_as_a_word_of_its_own(text: str, *, named: bool) -> None:
    """Neither within another key nor as a pattern."""
    assert mentions(text, ["HS1.2026"]) is named
    assert (MASK in masked(text, ["HS1.2026"])) is named


def test_keys_of_one_or_two_signs_are_looked_for_nowhere() -> None:
    """They stand in every second text: nothing is torn out of `lớp 12`."""
    assert not mentions("lớp 12", ["12"])


async def test_an_address_that_is_being_saved_goes_with_the_erasure(database):
    """It waits until the address is there; else that would be written after the person was forgotten."""
    contact = Contact(email="head@truong.vn")
    async with database.transaction() as connection:
        await lock_subjects(connection, ["head"])
        await keep_contacts(connection, {"head": contact}, NOW)
        erasure = asyncio.ensure_future(handle(database, requested("head", kind=STAFF), accounts=["head"]))
        await poll_until(lambda: waits_for_a_lock(database))
    await erasure

    async with database.connection() as connection:
        assert await contacts_of(connection, ["head"]) == {}


@pytest.mark.parametrize("fate", [Fate.FAILED, Fate.DELAYED])
async def test_a_mail_that_comes_back_meanwhile_goes_with_the_erasure(database, fate: Fate):
    """What its server says names the address: it is there before and goes, or it is not written at all."""
    async with database.transaction() as connection:
        dispatch_id = await sent(connection, "head")
    async with database.transaction() as connection:
        await returned(connection, dispatch_id, fate, "before")
        erasure = asyncio.ensure_future(handle(database, requested("head", kind=STAFF), accounts=["head"]))
        await poll_until(lambda: waits_for_a_lock(database))
    await erasure
    async with database.transaction() as connection:
        await returned(connection, dispatch_id, fate, "after")

    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM bounce")) == 0


async def test_a_try_that_is_being_written_down_goes_with_the_erasure(database):
    """What the other side answers may name the address."""
    async with database.transaction() as connection:
        dispatch_id = await sent(connection, "head")
    async with database.transaction() as connection:
        await connection.execute(sa.text("UPDATE dispatch SET attempt_count = 2"))
        await connection.execute(
            sa.text("INSERT INTO attempt VALUES (:id, 2, now(), 'STARTED', '')"), {"id": dispatch_id}
        )
        erasure = asyncio.ensure_future(handle(database, requested("head", kind=STAFF), accounts=["head"]))
        await poll_until(lambda: waits_for_a_lock(database, kind="transactionid"))
    await erasure
    async with database.connection() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM attempt")) == 0
