"""Mails that are accepted and come back later: noted once, told by another channel, and the address is not trusted."""

import asyncio
import smtplib
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from iocedu.notify.v1 import channels_pb2, deliveries_pb2

from services.notify.domain.bounces import ReturnPath
from services.notify.domain.delivering import Way
from services.notify.store import bounces
from simulators.mailbox.post import hand_over
from tests.integration.alerts.scenes import change
from tests.integration.notify.test_addresses import EMAIL, SMS, code_in, confirms, says
from tests.integration.notify.test_channels import BOUNCE_DOMAIN, Office, listener, office
from tests.support.waiting import poll_until
from tests.unit.notify import returned

__all__ = ["listener", "office"]  # fixtures
BOUNCED = deliveries_pb2.DISPATCH_STATE_BOUNCED


async def path_of(office: Office, dispatch_id: str) -> ReturnPath:
    """Where a message comes back to."""
    statement = sa.text("SELECT return_token FROM dispatch WHERE dispatch_id = :id")
    async with office.desk.database.connection() as connection:
        token = (await connection.execute(statement, {"id": dispatch_id})).scalar_one()
    return ReturnPath(UUID(dispatch_id), token)


async def comes_back(office: Office, mail: bytes, address: str) -> None:
    """A mail system hands a notification over, as all do: from nobody."""
    await asyncio.to_thread(hand_over, mail, address, office.bounces)


async def sent_and_back(office: Office, mail: bytes, number: int) -> Any:
    """One more alert goes out by mail and comes back; returns the message."""
    await office.alarm(change("RAISED", alert_id=number, position=number))

    async def out() -> Any:
        office.clock.advance(timedelta(seconds=5))
        newest = (await office.dispatches())[:1]
        return newest if newest and newest[0].state == Way.SENT else None

    [message] = await poll_until(out)
    await comes_back(office, mail, (await path_of(office, message.dispatch_id)).address(BOUNCE_DOMAIN))
    [message] = (await office.dispatches())[:1]
    return message


async def channels_of(office: Office, subject: str) -> Any:
    """What somebody is shown of his or her addresses."""
    request = channels_pb2.GetMyChannelsRequest()
    return (await office.desk.call(subject, "channels", "GetMyChannels", request)).channels.addresses


async def test_a_mail_that_comes_back_is_told_by_text_message_and_its_address_is_used_no_more(
    office: Office, listener: Any
):
    """Through a real mail server that accepts and returns it; the history says so, the inbox asks for another one."""
    listener.answer = {"code": "0"}
    await office.reach("head", email="tra-lai@example.vn", phone="+84912345678")
    await office.alarm(change("RAISED"))

    text, mail = await office.until("SENT", "BOUNCED")
    assert text.channel == SMS
    assert [one.outcome for one in mail.attempts] == ["ACCEPTED"]
    assert [(one.fate, one.status) for one in mail.bounces] == [("FAILED", "5.1.1")]
    assert "no such mailbox" in mail.bounces[0].detail
    assert mail.bounces[0].meaning_vi == "Máy chủ thư trả lời không có hộp thư này"
    shown = await channels_of(office, "head")
    assert [(one.channel, bool(one.failure)) for one in shown] == [(EMAIL, True), (SMS, False)]
    told = [one for one in await office.desk.notices("head") if one.topic == "address"]
    assert [one.title_vi for one in told] == ["Không gửi được thư tới tra-lai@example.vn"]


async def test_a_full_mailbox_costs_the_address_only_the_third_time(office: Office, listener: Any):
    """Each of the mails is told by the other channel; after three the owner is asked, and confirming begins anew."""
    listener.answer = {"code": "0"}
    await office.reach("head", email="head@example.vn")
    for number in (1, 2):
        message = await sent_and_back(office, returned.FULL, number)
        assert message.state == BOUNCED
        assert [one.failure for one in await channels_of(office, "head")] == [""]
    await sent_and_back(office, returned.FULL, 3)
    assert "Over quota" in (await channels_of(office, "head"))[0].failure

    await office.desk.call("head", "channels", "SendAddressCode", channels_pb2.SendAddressCodeRequest(channel=EMAIL))
    newest, *_ = await office.mails(4)
    shown = await confirms(office.desk, "head", code_in(newest.subject))
    assert [(one.confirmed, one.failure) for one in shown.addresses] == [(True, "")]
    await sent_and_back(office, returned.FULL, 4)
    assert [one.failure for one in await channels_of(office, "head")] == [""]


async def test_a_notification_that_is_handed_over_twice_counts_once(office: Office):
    """The relay repeats what was not heard; another one about the same mail is kept and changes nothing more."""
    await office.reach("head", email="head@example.vn")
    message = await sent_and_back(office, returned.FULL, 1)
    address = (await path_of(office, message.dispatch_id)).address(BOUNCE_DOMAIN)
    await comes_back(office, returned.FULL, address)
    await comes_back(office, returned.AWAY, address.upper())

    [message] = await office.dispatches()
    assert [one.status for one in message.bounces] == ["5.2.2", "4.4.1"]
    assert await office.desk.number("SELECT email_bounces FROM contact WHERE subject = 'head'") == 1


@pytest.mark.parametrize("name", ["DELAYED", "OUT_OF_OFFICE", "CHATTY"])
async def test_what_does_not_say_that_a_mail_failed_is_kept_in_its_history_alone(office: Office, name: str):
    """A mail that is on its way still, an answer from a holiday: the message stays sent."""
    await office.reach("head", email="head@example.vn")
    message = await sent_and_back(office, returned.EVERY[name], 1)
    assert message.state == Way.SENT
    assert len(message.bounces) == 1
    assert await office.desk.number("SELECT email_bounces FROM contact WHERE subject = 'head'") == 0


async def test_who_writes_to_a_return_path_again_and_again_fills_nothing(office: Office, monkeypatch):
    """Whoever has the mail knows its return path: of each fate some are kept, and a failure is noticed all the same."""
    monkeypatch.setattr(bounces, "MOST_KEPT", 2)
    await office.reach("head", email="head@example.vn")
    message = await sent_and_back(office, returned.OUT_OF_OFFICE, 1)
    address = (await path_of(office, message.dispatch_id)).address(BOUNCE_DOMAIN)
    for number in range(3):
        await comes_back(office, returned.OUT_OF_OFFICE + b"\r\n%d" % number, address)
    await comes_back(office, returned.FULL, address)

    [message] = await office.dispatches()
    assert message.state == BOUNCED
    assert [one.fate for one in message.bounces] == ["UNREADABLE", "UNREADABLE", "FAILED"]


async def test_nobody_can_let_a_mail_come_back_whose_return_path_he_does_not_know(office: Office):
    """The id of a message stands in the mail for all to read; the token does not, and nothing else is an address."""
    await office.reach("head", email="head@example.vn")
    message = await sent_and_back(office, returned.DELAYED, 1)
    forged = (
        ReturnPath(UUID(message.dispatch_id), "0" * 24).address(BOUNCE_DOMAIN),
        ReturnPath(uuid4(), "0" * 24).address(BOUNCE_DOMAIN),
        f"postmaster@{BOUNCE_DOMAIN}",
        (await path_of(office, message.dispatch_id)).address("example.vn"),
    )
    for address in forged:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await comes_back(office, returned.POSTFIX, address)
    assert [one.state for one in await office.dispatches()] == [Way.SENT]
    [mail] = office.box.mails()
    assert (await path_of(office, message.dispatch_id)).token.encode() not in mail.raw


async def test_a_mail_that_comes_back_while_the_database_is_away_is_handed_over_again(office: Office):
    """The relay is told to come again, and loses nothing."""
    await office.reach("head", email="head@example.vn")
    message = await sent_and_back(office, returned.DELAYED, 1)
    address = (await path_of(office, message.dispatch_id)).address(BOUNCE_DOMAIN)
    async with office.desk.database.transaction() as connection:
        await connection.exec_driver_sql("ALTER TABLE bounce RENAME TO away")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await comes_back(office, returned.POSTFIX, address)
    assert refused.value.smtp_code == 451
    async with office.desk.database.transaction() as connection:
        await connection.exec_driver_sql("ALTER TABLE away RENAME TO bounce")
    await comes_back(office, returned.POSTFIX, address)
    assert [one.state for one in await office.dispatches()] == [BOUNCED]


async def test_a_message_that_came_back_can_be_tried_again_by_its_id(office: Office):
    """Not with all that were given up: it came back for a reason that somebody has to have put right."""
    await office.reach("head", email="head@example.vn")
    message = await sent_and_back(office, returned.FULL, 1)
    everything = deliveries_pb2.ReplayDispatchesRequest()
    named = deliveries_pb2.ReplayDispatchesRequest(dispatch_ids=[message.dispatch_id])
    assert (await office.desk.call("admin", "deliveries", "ReplayDispatches", everything)).replayed_count == 0
    assert (await office.desk.call("admin", "deliveries", "ReplayDispatches", named)).replayed_count == 1
    [again] = await office.until("SENT")
    assert [one.outcome for one in again.attempts] == ["ACCEPTED", "ACCEPTED"]


async def test_a_code_that_comes_back_goes_nowhere_else(office: Office, listener: Any):
    """Else whoever has the telephone could confirm the mail address of somebody else."""
    await office.reach("head", phone="+84912345678")
    await says(office.desk, "head", email="tra-lai@example.vn", phone="+84912345678")
    await office.until("BOUNCED")
    assert listener.got == []
    assert [bool(one.failure) for one in await channels_of(office, "head")] == [True, False]
