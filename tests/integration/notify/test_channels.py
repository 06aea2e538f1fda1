"""E-mail, SMS and webhooks to real servers: in whose words, how often, what follows on a refusal, and never twice."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import alerts_pb2
from iocedu.notify.v1 import channels_pb2, channels_pb2_grpc, deliveries_pb2, notify_pb2, receipts_pb2

from chassis import webhooks
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from services.notify.convert.rules import load_channel_rules
from services.notify.domain.channels import Channel, Lane, Outcome, Result
from services.notify.domain.delivering import Way
from services.notify.jobs import Dispatcher
from services.notify.store import dispatches
from services.notify.usecases import dispatching
from simulators.mailbox.store import Box
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, SCHOOL, change, notify_replica
from tests.integration.notify import people
from tests.integration.notify.people import Desk, draft, group
from tests.integration.notify.receivers import Program, free_port, mailbox, program
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

ROLES = ("head_teacher",)
BOUNCE_DOMAIN = "tra-lai.example.vn"


@dataclass
class Office:
    """A running notify with a mail server, and what arrives there."""

    desk: Desk
    bus: Bus
    box: Box
    clock: FixedClock
    again: Callable[..., Any]  # Runs another copy over the same database.
    bounces: str  # Where mails come back to, by SMTP.

    async def reach(self, subject: str, **contact: str) -> None:
        """An administrator brings somebody's addresses, so that they count as confirmed."""
        named = channels_pb2.NamedContact(subject=subject, contact=channels_pb2.Contact(**contact))
        await self.desk.call(
            "admin", "channels", "ImportContacts", channels_pb2.ImportContactsRequest(contacts=[named])
        )

    async def alarm(self, *changes: alerts_pb2.AlertChange) -> None:
        """Alerts tells something."""
        event = alerts_pb2.AlertsChanged(changes=changes)
        await scenes.publish(self.bus, "alerts", "alerts-changed", event)

    async def pass_time(self, **by: float) -> None:
        """Let the service's clock run on."""
        self.clock.advance(timedelta(**by))

    async def mails(self, count: int) -> list[Any]:
        """Wait until so many mails have come, the newest first."""

        async def come() -> Any:
            self.clock.advance(timedelta(seconds=2))
            return len(self.box.mails()) >= count

        await poll_until(come)
        return self.box.mails()

    async def dispatches(self, **wanted: Any) -> list[Any]:
        """What operators see."""
        request = deliveries_pb2.ListDispatchesRequest(**wanted)
        return list((await self.desk.call("admin", "deliveries", "ListDispatches", request)).dispatches)

    async def until(self, *states: str) -> list[Any]:
        """Wait until messages are in these states, the newest first."""
        wanted = [deliveries_pb2.DispatchState.Value(f"DISPATCH_STATE_{state}") for state in states]

        async def come() -> Any:
            self.clock.advance(timedelta(seconds=5))
            found = await self.dispatches()
            return found if [one.state for one in found] == wanted else None

        found: list[Any] = await poll_until(come)
        return found


@pytest.fixture
def listener() -> Iterator[Program]:
    """A program to tell."""
    with program() as listening:
        yield listening


@pytest.fixture
async def office(
    database_factory: DatabaseFactory,
    bus: Bus,
    keys: Issuer,
    scopes_tree,
    clock: FixedClock,
    token: Callable[..., str],
    tmp_path: Path,
    listener: Program,
) -> AsyncIterator[Office]:
    """A running notify with a mail server, an SMS provider, and webhooks on this machine allowed."""
    await scopes_tree(people.units(), people.grants())
    database = await database_factory("notify")
    provider = tmp_path / "sms.json"
    provider.write_text(
        json.dumps(
            {
                "url": listener.url,
                "body": {"to": "{phone}", "content": "{text}", "ref": "{id}"},
                "accepted_field": "code",
                "accepted_values": ["0"],
            }
        )
    )
    bounces = f"127.0.0.1:{free_port()}"
    with mailbox(tmp_path / "box", bounces=bounces) as (smtp_url, box):
        given = {
            "smtp_url": smtp_url,
            "smtp_from": "IOC Edu <tin@ioc.example.vn>",
            "public_url": "https://ioc.example.vn",
            "sms_provider_file": provider,
            "webhook_private_allowed": True,
            "bounce_domain": BOUNCE_DOMAIN,
        }

        @asynccontextmanager
        async def copy(time: Clock = clock, **more: str) -> AsyncIterator[str]:
            async with notify_replica(database, bus, keys, clock=time, **given, **more) as address:
                yield address

        async with copy(bounce_listen=bounces) as address:
            yield Office(Desk(address, token, database), bus, box, clock, copy, bounces)


async def test_an_alert_comes_by_mail_with_text_page_link_and_reason(office):
    """In Vietnamese to the head teacher, in English to the officer; nobody without an address gets one."""
    await office.reach("head", email="hieutruong@truong.example.vn")
    await office.reach("officer", email="officer@example.vn", language="en")
    await office.alarm(change("RAISED"))
    mails = {mail.recipient: mail for mail in await office.mails(2)}
    assert set(mails) == {"hieutruong@truong.example.vn", "officer@example.vn"}
    mail = mails["hieutruong@truong.example.vn"]
    assert mail.subject == "[Cần chú ý] Lớp 1A có 40 học sinh"
    for kind in ("plain", "html"):
        assert "Rà soát và tách lớp." in mail.body(kind)
        assert "Hiệu trưởng tại TH Ái Nghĩa" in mail.body(kind)
        assert "https://ioc.example.vn/" in mail.body(kind)
    assert mail.parsed["List-Unsubscribe"] == "<https://ioc.example.vn/notices.html#preferences>"
    assert mails["officer@example.vn"].subject == "[Warning] Class 1A has 40 pupils"


async def test_what_waits_together_comes_in_one_mail(office):
    """Thirty alerts of one school are thirty notices and one mail that counts them."""
    await office.reach("head", email="head@example.vn")
    await office.alarm(*(change("RAISED", alert_id=number, position=number) for number in range(1, 31)))

    async def told() -> bool:
        return len(await office.desk.notices("head")) == 30

    await poll_until(told)
    [mail] = await office.mails(1)
    assert mail.subject == "30 thông báo mới từ IOC Edu"
    assert "và 10 thông báo khác" in mail.body("plain")


async def test_people_choose_by_gravity_and_may_switch_a_channel_off(office):
    """Only what is critical to one, nothing to another; both have it in the inbox all the same."""
    for subject, preference in (("head", {"least_severity": 3, "enabled": True}), ("officer", {"enabled": False})):
        await office.reach(subject, email=f"{subject}@example.vn")
        request = channels_pb2.UpdateMyChannelsRequest(
            contact=channels_pb2.Contact(email=f"{subject}@example.vn"),
            preferences=[channels_pb2.Preference(channel=channels_pb2.CHANNEL_EMAIL, **preference)],
        )
        await office.desk.call(subject, "channels", "UpdateMyChannels", request)
    grave = change("RAISED", alert_id=9, position=9)
    grave.alert.severity = alerts_pb2.SEVERITY_CRITICAL
    await office.alarm(change("RAISED"), grave)
    [mail] = await office.mails(1)
    assert (mail.recipient, mail.subject) == ("head@example.vn", "[Khẩn] Lớp 1A có 40 học sinh")
    await office.until("SENT")
    assert len(await office.desk.notices("officer")) == 2


async def test_in_quiet_hours_only_what_is_critical_comes(office, clock):
    """At two in the morning: the grave one at once, the other when the quiet hours are over."""
    clock.set("2026-11-24T19:00:00+00:00")
    await office.reach("head", email="head@example.vn", quiet_from="22:00", quiet_to="06:00")
    grave = change("RAISED", alert_id=9, position=9)
    grave.alert.severity = alerts_pb2.SEVERITY_CRITICAL
    await office.alarm(change("RAISED"), grave)
    [first] = await office.until("SENT")
    assert first.priority == 0
    await poll_until(lambda: _put_off(office))
    clock.set("2026-11-24T23:01:00+00:00")
    assert len(await office.mails(2)) == 2


async def test_what_is_to_be_tried_again_waits_for_the_end_of_quiet_hours_too(office, clock):
    """Put off by the mail server just before ten in the evening: the next try comes at six, and no sooner."""
    clock.set("2026-11-24T14:59:50+00:00")
    await office.reach("head", email="ban@example.vn", quiet_from="22:00", quiet_to="06:00")
    asked = people.asking(["head"])
    await scenes.publish(office.bus, "reporting", "notice-requested", asked)

    async def tried() -> Any:
        found = await office.dispatches()
        return found if found and found[0].attempts and found[0].attempts[-1].outcome == "RETRY" else None

    async def arrived() -> bool:
        return len(await office.desk.notices("head")) == 1

    await poll_until(arrived)
    clock.set("2026-11-24T14:59:56+00:00")
    await poll_until(tried)
    clock.set("2026-11-24T15:01:00+00:00")
    until = "SELECT count(*) FROM dispatch WHERE state = 1 AND next_time = '2026-11-24T23:00:00Z'"
    await poll_until(lambda: _is(office, until, 1))
    assert [len(one.attempts) for one in await office.dispatches()] == [1]
    async with office.desk.database.connection() as connection:
        assert await dispatches.queues(connection, clock.now()) == {}
        assert (await dispatches.queues(connection, clock.now() + timedelta(hours=8)))[Channel.EMAIL] == (1, 60.0)
    clock.set("2026-11-24T23:00:01+00:00")
    await poll_until(lambda: _is(office, "SELECT count(*) FROM dispatch WHERE attempt_count = 2", 1))


async def _is(office: Office, question: str, expected: int) -> bool:
    return await office.desk.number(question) == expected


async def _put_off(office: Office) -> bool:
    waiting = "SELECT count(*) FROM delivery WHERE dispatch_id IS NULL AND due_time = '2026-11-24T23:00:00Z'"
    return await office.desk.number(waiting) == 1


async def test_a_refused_address_is_given_up_and_the_telephone_takes_over(office, listener):
    """The mailbox does not exist: one try, a dead letter with what the server said, and an SMS without tones."""
    listener.answer = {"code": "0"}
    await office.reach("head", email="tu-choi@example.vn", phone="+84912345678")
    await office.alarm(change("RAISED"))
    sms, mail = await office.until("SENT", "DEAD")
    assert (mail.channel, sms.channel) == (channels_pb2.CHANNEL_EMAIL, channels_pb2.CHANNEL_SMS)
    assert [(one.outcome, one.detail[:3]) for one in mail.attempts] == [("REFUSED", "550")]
    [(_, body)] = listener.got
    spoken = json.loads(body)
    assert spoken == {
        "to": "+84912345678",
        "content": "IOC Edu: Lop 1A co 40 hoc sinh (TH Ai Nghia). https://ioc.example.vn/",
        "ref": sms.dispatch_id,
    }


async def test_what_fails_for_the_moment_is_tried_again_under_the_same_id_and_then_replayed(office, listener):
    """A program that is away: tries with growing pauses, then a dead letter; replayed by an operator, it arrives."""
    listener.answers = [503] * 10
    made = await _webhook(office, listener)
    await office.alarm(change("RAISED"))

    async def given_up() -> Any:
        found = await office.dispatches()
        # Only while nothing is due: beside a try its lease would run out, and another would begin.
        if not found:
            office.clock.advance(timedelta(seconds=5))
        elif (
            found[0].state != deliveries_pb2.DISPATCH_STATE_SENDING
            and found[0].next_time.ToDatetime(UTC) > office.clock.now()
        ):
            office.clock.advance(timedelta(hours=1))
        return found if found and found[0].state == deliveries_pb2.DISPATCH_STATE_DEAD else None

    [dead] = await poll_until(given_up)
    assert [one.outcome for one in dead.attempts] == ["RETRY"] * 10
    replayed = await office.desk.call(
        "admin",
        "deliveries",
        "ReplayDispatches",
        deliveries_pb2.ReplayDispatchesRequest(dispatch_ids=[dead.dispatch_id]),
    )
    assert replayed.replayed_count == 1
    await office.until("SENT")
    assert set(listener.ids()) == {dead.dispatch_id}
    assert made.secret.startswith("whsec_")


async def _webhook(office: Office, listener: Program, subject: str = "head") -> Any:
    request = channels_pb2.CreateWebhookRequest(url=listener.url)
    return await office.desk.call(subject, "channels", "CreateWebhook", request)


async def test_a_webhook_is_signed_so_that_its_receiver_can_tell(office, listener):
    """The signature is that of Standard Webhooks, computed here by hand; a tester sends one at once."""
    made = await _webhook(office, listener)
    tested = await office.desk.call(
        "head", "channels", "TestWebhook", channels_pb2.TestWebhookRequest(webhook_id=made.webhook.webhook_id)
    )
    assert (tested.accepted, tested.http_status) == (True, 200)
    await office.alarm(change("RAISED"))
    await office.until("SENT")
    (test, _), (headers, body) = listener.got
    assert test["webhook-id"] == tested.delivery_id
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    [notice] = json.loads(body)["notices"]
    assert (notice["title"]["vi"], notice["severity"]) == ("Lớp 1A có 40 học sinh", "warning")


async def test_nobody_tests_or_removes_the_webhook_of_somebody_else(office, listener):
    """To a stranger there is none, and nothing is sent."""
    made = (await _webhook(office, listener)).webhook
    for verb in ("Test", "Delete"):
        request = getattr(channels_pb2, f"{verb}WebhookRequest")(webhook_id=made.webhook_id)
        with pytest.raises(Fault) as refused:
            await office.desk.call("officer", "channels", f"{verb}Webhook", request)
        assert refused.value.reason == "UNKNOWN_WEBHOOK"
    assert listener.got == []


async def test_a_try_whose_lease_ran_out_decides_nothing_while_the_next_one_runs(kept, clock):
    """It failed late: the message is still the later try's, which is not put back into the queue."""
    await _queued(kept, clock)
    rules, _ = load_channel_rules()
    email = rules[Channel.EMAIL]
    [first] = await dispatching.take(kept, Channel.EMAIL, Lane.REST, email, now=clock.now())
    clock.advance(timedelta(seconds=email.lease_seconds + 1))
    [second] = await dispatching.take(kept, Channel.EMAIL, Lane.REST, email, now=clock.now())
    assert (first.attempt, second.attempt) == (1, 2)
    async with kept.transaction() as connection:
        decided = await dispatches.settle(
            connection, first, Result(Outcome.RETRY), way=Way.QUEUED, next_time=clock.now(), now=clock.now()
        )
        state = await connection.scalar(sa.text("SELECT state FROM dispatch"))
    assert (decided, state) == (False, Way.SENDING)


async def _queued(kept: Database, clock: Clock) -> None:
    """A mail that is due."""
    async with kept.transaction() as connection:
        await connection.execute(
            sa.text(
                "INSERT INTO dispatch (dispatch_id, channel, subject, address, priority, state, attempt_count,"
                " next_time, create_time) VALUES (gen_random_uuid(), 'email', 'head', 'a@b.vn', 1, 1, 0, :now, :now)"
            ),
            {"now": clock.now()},
        )


async def test_a_program_that_drips_its_answer_holds_up_nobody(office, listener, monkeypatch):
    """What leaves after it arrives while it drips, and it is left at the deadline, to be tried again."""
    monkeypatch.setattr(webhooks, "DEADLINE_SECONDS", 10.0)
    with program() as slow:
        slow.dripping = True
        await _webhook(office, slow)
        await office.alarm(change("RAISED"))
        await poll_until(lambda: slow.got)
        await _webhook(office, listener)
        await office.alarm(change("RAISED", alert_id=8, position=8))

        async def left() -> Any:
            return [one for sent in await office.dispatches() for one in sent.attempts if one.outcome == "RETRY"]

        await poll_until(lambda: listener.got)
        assert await left() == [], "it arrived while the other went on dripping"
        [attempt, *_] = await poll_until(left)
        assert attempt.detail == "no answer within 10 s"


async def test_a_redirect_is_not_followed(office, listener):
    """It could lead inside: the message is given up instead."""
    listener.answers = [302]
    await _webhook(office, listener)
    await office.alarm(change("RAISED"))
    [dead] = await office.until("DEAD")
    assert [(one.outcome, one.detail) for one in dead.attempts] == [("REFUSED", "302")]
    assert len(listener.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.vn/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/hook",
        "https://user:word@1.1.1.1/hook",
        "ftp://1.1.1.1/hook",
    ],
)
async def test_a_webhook_to_a_private_address_is_refused_with_the_reason(desk, url):
    """Where trials are not allowed, only https to a public address will do."""
    with pytest.raises(Fault) as refused:
        await desk.call("head", "channels", "CreateWebhook", channels_pb2.CreateWebhookRequest(url=url))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "WEBHOOK_ADDRESS")
    assert [violation.field for violation in refused.value.violations] == ["url"]


async def test_a_webhook_whose_name_nobody_knows_is_refused_in_other_words_than_a_private_one(desk):
    """So that its owner looks for a slip in the name, not for what is wrong with the network."""
    request = channels_pb2.CreateWebhookRequest(url="https://hook.invalid/hook")
    async with desk.channel("head") as channel:
        stub: Any = channels_pb2_grpc.ChannelsServiceStub(channel)
        with pytest.raises(Fault) as refused:
            await stub.CreateWebhook(request, metadata=(("accept-language", "vi"),))
    (violation,) = refused.value.violations
    assert (violation.field, violation.reason) == ("url", "WEBHOOK_ADDRESS")
    assert "Không tìm thấy tên miền" in violation.vi


async def test_a_contact_that_names_no_address_is_refused_and_nothing_is_brought(desk):
    """A body with the address in the wrong place arrives without one; to count it as kept would be untrue."""
    named = [channels_pb2.NamedContact(subject="head"), channels_pb2.NamedContact(subject="clerk")]
    with pytest.raises(Fault) as refused:
        await desk.call("admin", "channels", "ImportContacts", channels_pb2.ImportContactsRequest(contacts=named))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "INVALID_FIELD")
    assert [violation.field for violation in refused.value.violations] == ["contacts[0].contact", "contacts[1].contact"]


async def test_a_channel_without_a_server_gives_up_at_once_and_says_so(desk, bus, clock):
    """An operator sees it; nothing waits for ever."""
    named = channels_pb2.NamedContact(subject="head", contact=channels_pb2.Contact(email="head@example.vn"))
    await desk.call("admin", "channels", "ImportContacts", channels_pb2.ImportContactsRequest(contacts=[named]))
    await scenes.publish(bus, "alerts", "alerts-changed", alerts_pb2.AlertsChanged(changes=[change("RAISED")]))

    async def dead() -> Any:
        clock.advance(timedelta(seconds=5))
        listed = await desk.call("admin", "deliveries", "ListDispatches", deliveries_pb2.ListDispatchesRequest())
        return [one for one in listed.dispatches if one.state == deliveries_pb2.DISPATCH_STATE_DEAD]

    [one] = await poll_until(dead)
    assert one.attempts[0].detail == "no email server is set up"


async def test_a_recalled_announcement_leaves_no_more(office):
    """What waits is dropped; a mail that has not left is cancelled."""
    await office.reach("head", email="ban@example.vn")
    sent = await office.desk.send(draft(group(SCHOOL)))
    await office.until("QUEUED")
    await office.desk.step("Recall", sent, reason="Sai hạn")
    await office.until("CANCELLED")
    assert office.box.mails() == []


async def test_a_reminder_is_one_more_mail_and_a_repeat_of_the_event_is_none(office):
    """Each occasion brings one message a channel."""
    await office.reach("head", email="head@example.vn")
    event = alerts_pb2.AlertsChanged(changes=[change("RAISED")])
    await scenes.publish(office.bus, "alerts", "alerts-changed", event, event, event)
    await office.mails(1)
    await office.alarm(change("RAISED"), change("ACKNOWLEDGED", position=8))
    await office.until("SENT")
    assert await office.desk.number("SELECT count(*) FROM delivery") == 1


async def test_a_reminder_says_that_it_is_one_and_no_mail_tells_the_same_twice(office, listener, clock):
    """Reminded before the first mail has left there is one mail with one block; a day later another says what it is."""
    await office.reach("head", email="head@example.vn")
    await _webhook(office, listener)
    sent = await office.desk.send(draft(group(SCHOOL), receipt_required=True))
    assert await poll_until(lambda: _reminders(listener, 1)) == [False]
    request = receipts_pb2.RemindRecipientsRequest(unit=str(sent.unit_id), announcement_id=sent.announcement_id)
    await office.desk.call("director", "receipts", "RemindRecipients", request)
    [first] = await office.mails(1)
    assert first.subject == "[Cần chú ý] Báo cáo phòng chống bão"
    assert first.body("plain").count("Báo cáo phòng chống bão") == 1
    await office.until("SENT", "SENT", "SENT")  # What is on its way would be sent again after so long.
    clock.advance(timedelta(days=1))
    await office.desk.call("director", "receipts", "RemindRecipients", request)
    [again, _] = await office.mails(2)
    assert again.subject == "[Cần chú ý] Nhắc: Báo cáo phòng chống bão"
    assert again.body("plain").startswith("Nhắc: Báo cáo phòng chống bão")
    assert await poll_until(lambda: _reminders(listener, 3)) == [False, True, True]


async def _reminders(listener: Program, count: int) -> list[bool]:
    told = [notice["reminder"] for _, body in listener.got for notice in json.loads(body)["notices"]]
    return told if len(told) == count else []


async def test_two_copies_send_each_message_once(office):
    """Forty people, two copies of the service: forty mails, each having come once."""
    subjects = [f"person-{number}" for number in range(40)]
    contacts = [
        channels_pb2.NamedContact(subject=one, contact=channels_pb2.Contact(email=f"{one}@example.vn"))
        for one in subjects
    ]
    await office.desk.call("admin", "channels", "ImportContacts", channels_pb2.ImportContactsRequest(contacts=contacts))
    asked = people.asking(subjects)
    async with AsyncExitStack() as more:
        await more.enter_async_context(office.again())
        await scenes.publish(office.bus, "reporting", "notice-requested", asked, asked)
        mails = await office.mails(40)
        await asyncio.sleep(0)
    assert sorted(mail.recipient for mail in mails) == sorted(f"{one}@example.vn" for one in subjects)
    assert {mail.arrivals for mail in mails} == {1}


async def test_a_time_out_after_acceptance_is_one_mail_in_the_box(office, monkeypatch):
    """The server keeps the mail and never says so: it is tried again under its Message-ID, which the mailbox knows."""
    monkeypatch.setattr("services.notify.clients.email.TIMEOUT_SECONDS", 0.3)
    await office.reach("head", email="cham@example.vn")
    await office.alarm(change("RAISED"))

    async def repeated() -> bool:
        office.clock.advance(timedelta(minutes=30))
        mails = office.box.mails()
        return len(mails) == 1 and mails[0].arrivals >= 2

    await poll_until(repeated)
    assert len(office.box.mails()) == 1


async def test_an_urgent_message_overtakes_a_thousand_that_wait(office, clock):
    """The pace of the channel holds back the many; what is critical leaves at once."""
    subjects = [f"person-{number}" for number in range(300)]
    contacts = [
        channels_pb2.NamedContact(subject=one, contact=channels_pb2.Contact(email=f"{one}@example.vn"))
        for one in subjects
    ]
    await office.desk.call("admin", "channels", "ImportContacts", channels_pb2.ImportContactsRequest(contacts=contacts))
    await office.reach("head", email="head@example.vn")
    await scenes.publish(office.bus, "reporting", "notice-requested", people.asking(subjects))
    await poll_until(lambda: _delivered(office, 300))
    clock.advance(timedelta(seconds=6))
    await poll_until(lambda: _sent(office, 100))
    grave = change("RAISED", alert_id=9, position=9, roles=ROLES)
    grave.alert.severity = alerts_pb2.SEVERITY_CRITICAL
    await office.alarm(grave)
    await poll_until(lambda: any(mail.recipient == "head@example.vn" for mail in office.box.mails()))
    assert await office.desk.number("SELECT count(*) FROM dispatch WHERE state = 1") >= 150


async def _delivered(office: Office, count: int) -> bool:
    return await office.desk.number("SELECT count(*) FROM delivery") == count


async def _sent(office: Office, count: int) -> bool:
    return await office.desk.number("SELECT count(*) FROM dispatch WHERE state = 3") >= count


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (
            channels_pb2.PreviewMessageRequest(channel=channels_pb2.CHANNEL_EMAIL, text="{tilte}: {body}"),
            "UNKNOWN_VARIABLE",
            "text",
        ),
        (
            channels_pb2.UpdateMyChannelsRequest(contact=channels_pb2.Contact(quiet_from="22:00")),
            "INVALID_PREFERENCES",
            "contact.quiet_to",
        ),
    ],
)
async def test_texts_and_preferences_that_make_no_sense_are_refused_by_the_field(desk, request_, reason, field):
    """An unknown variable, and quiet hours without an end."""
    method = {"PreviewMessageRequest": "PreviewMessage", "UpdateMyChannelsRequest": "UpdateMyChannels"}
    with pytest.raises(Fault) as refused:
        await desk.call("head", "channels", method[type(request_).__name__], request_)
    assert refused.value.reason == reason
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_a_preview_counts_what_an_sms_costs(desk):
    """The same text with tones in UCS-2 and without them in GSM-7."""
    asked = channels_pb2.PreviewMessageRequest(
        channel=channels_pb2.CHANNEL_SMS, text="{title}. " + "Hạn nộp: thứ sáu. " * 5
    )
    with_tones = await desk.call("head", "channels", "PreviewMessage", asked)
    asked.plain = True
    without = await desk.call("head", "channels", "PreviewMessage", asked)
    assert (with_tones.encoding, with_tones.segment_count) == ("UCS-2", 2)
    assert (without.encoding, without.segment_count) == ("GSM-7", 1)


async def test_a_preview_of_an_sms_is_cut_as_the_provider_gets_it(office):
    """The title of what is about to be written, cut to what is paid for, with the link whole behind it."""
    title = "Các trường báo cáo thiệt hại do bão số mười hai gây ra trước mười bảy giờ " * 8
    asked = channels_pb2.PreviewMessageRequest(channel=channels_pb2.CHANNEL_SMS, title=title.strip(), plain=True)
    shown = await office.desk.call("head", "channels", "PreviewMessage", asked)
    assert (shown.encoding, shown.segment_count) == ("GSM-7", 2)
    assert "Cac truong bao cao thiet hai" in shown.text
    assert shown.text.endswith("https://ioc.example.vn")
    asked.channel, asked.body = channels_pb2.CHANNEL_EMAIL, "Số phòng học hư hỏng"
    mail = await office.desk.call("head", "channels", "PreviewMessage", asked)
    assert title.strip()[:100] in mail.subject
    assert "Số phòng học hư hỏng" in mail.text


async def test_what_was_read_meanwhile_stays_with_its_reader(office):
    """Channels tell; they never mark anything as opened."""
    await office.reach("head", email="head@example.vn")
    await office.alarm(change("RAISED"))
    await office.mails(1)
    [notice] = await office.desk.notices("head")
    assert notice.state == notify_pb2.NOTICE_STATE_UNREAD
    assert office.clock.now() >= NOW


async def test_a_channel_with_nothing_to_send_writes_nothing(kept, clock):
    """Its pace is written down with what is taken, and not several times a second for nothing."""
    rules, _ = load_channel_rules()
    taken = await dispatching.take(kept, Channel.EMAIL, Lane.REST, rules[Channel.EMAIL], now=clock.now())
    async with kept.connection() as connection:
        paces = await connection.scalar(sa.text("SELECT count(*) FROM channel_pace"))

    assert taken == []
    assert paces == 0


async def test_all_that_was_done_long_ago_is_forgotten_in_portions(kept, clock):
    """However much there is; what waits and what is young stays."""
    async with kept.transaction() as connection:
        await connection.execute(sa.text(_DONE), {"now": NOW})
    dispatcher = Dispatcher(kept, clock, {}, {}, kept=timedelta(days=180), wake=lambda: None)
    await dispatcher.prune_all(asyncio.Event(), at_once=10)
    async with kept.connection() as connection:
        rows = await connection.execute(sa.text("SELECT subject, count(*) FROM dispatch GROUP BY subject"))
        assert {row[0]: row[1] for row in rows} == {"young": 25, "waiting": 25}


_DONE = """
INSERT INTO dispatch (dispatch_id, channel, subject, address, priority, state, attempt_count, next_time, create_time,
    done_time)
SELECT gen_random_uuid(), 'email', subject, '', 1, state, 1, :now, :now,
    CAST(:now AS timestamptz) - CAST(age AS interval)
FROM generate_series(1, 25), (VALUES ('old', 3, '181 days'), ('young', 3, '179 days'), ('waiting', 1, NULL))
    AS given(subject, state, age)
"""
