"""Addresses people give are confirmed before anything but a code is sent there, and given up when they are refused."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iocedu.notify.v1 import channels_pb2

from chassis.errors import Fault, Kind
from services.notify.domain.codes import BETWEEN, MOST_A_DAY, MOST_TRIES, digest, sent
from tests.integration.alerts.scenes import NOW, change
from tests.integration.notify.test_channels import Office, listener, office
from tests.support.waiting import poll_until

__all__ = ["listener", "office"]  # fixtures
EMAIL, SMS = channels_pb2.CHANNEL_EMAIL, channels_pb2.CHANNEL_SMS

CODE_THAT_WAITS = """
WITH code AS (
    INSERT INTO address_code
    VALUES ('head', 'email', 'tu-choi@example.vn', '', -99, 'infinity', 5, '-infinity', '-infinity', 1)
)
INSERT INTO delivery (subject, matter_id, occasion, channel, address, priority, due_time)
VALUES ('head', -99, 0, 'email', 'tu-choi@example.vn', 0, 'infinity')
"""


async def says(desk: Any, subject: str, **contact: str) -> channels_pb2.Channels:
    """Somebody gives addresses."""
    request = channels_pb2.UpdateMyChannelsRequest(contact=channels_pb2.Contact(**contact))
    kept: channels_pb2.Channels = (await desk.call(subject, "channels", "UpdateMyChannels", request)).channels
    return kept


async def confirms(desk: Any, subject: str, code: str, channel: Any = EMAIL) -> channels_pb2.Channels:
    """Somebody types a code."""
    request = channels_pb2.ConfirmAddressRequest(channel=channel, code=code)
    kept: channels_pb2.Channels = (await desk.call(subject, "channels", "ConfirmAddress", request)).channels
    return kept


async def refusal(call: Any) -> Fault:
    """What a call is refused with."""
    with pytest.raises(Fault) as refused:
        await call
    return refused.value


def code_in(text: str) -> str:
    """The code a message tells."""
    found = re.search(r"\d{6}", text)
    assert found
    return found.group()


async def test_nothing_but_the_code_is_sent_before_an_address_is_confirmed(office: Office):
    """An alert comes to the inbox alone; once the code is typed, the next comes by mail."""
    shown = await says(office.desk, "head", email="head@example.vn")
    assert [(one.channel, one.confirmed) for one in shown.addresses] == [(EMAIL, False)]
    await office.alarm(change("RAISED"))
    await poll_until(lambda: _notices(office, 1))
    [mail] = await office.mails(1)
    office.clock.advance(timedelta(minutes=5))
    assert mail.recipient == "head@example.vn"
    assert len(office.box.mails()) == 1

    shown = await confirms(office.desk, "head", code_in(mail.subject))
    assert [(one.confirmed, one.failure) for one in shown.addresses] == [(True, "")]
    await office.alarm(change("RAISED", alert_id=9, position=9))
    newest, _ = await office.mails(2)
    assert "Lớp 1A" in newest.subject


async def _notices(office: Office, count: int) -> bool:
    return len(await office.desk.notices("head")) == count


async def test_a_wrong_code_costs_a_try_and_the_right_one_comes_too_late_after_five(office: Office):
    """Each wrong one says how many are left; then even the right one counts no more, and another is asked for."""
    await says(office.desk, "head", email="head@example.vn")
    [mail] = await office.mails(1)
    code = code_in(mail.subject)
    wrong = "000000" if code != "000000" else "000001"
    left = [(await refusal(confirms(office.desk, "head", wrong))).metadata["tries_left"] for _ in range(MOST_TRIES)]
    assert left == ["4", "3", "2", "1", "0"]
    assert (await refusal(confirms(office.desk, "head", code))).reason == "WRONG_CODE"

    office.clock.advance(BETWEEN)
    request = channels_pb2.SendAddressCodeRequest(channel=EMAIL)
    await office.desk.call("head", "channels", "SendAddressCode", request)
    newest, _ = await office.mails(2)
    assert [one.confirmed for one in (await confirms(office.desk, "head", code_in(newest.subject))).addresses] == [True]


async def test_a_code_holds_for_a_day_and_no_longer(office: Office):
    """The right one, an hour late, confirms nothing."""
    await says(office.desk, "head", email="head@example.vn")
    [mail] = await office.mails(1)
    office.clock.advance(timedelta(hours=25))
    assert (await refusal(confirms(office.desk, "head", code_in(mail.subject)))).reason == "WRONG_CODE"


async def test_another_address_is_confirmed_anew_and_the_same_one_stays_confirmed(office: Office):
    """Changing quiet hours asks for nothing; changing the address does, and routes nothing to either meanwhile."""
    await office.reach("head", email="head@example.vn")
    same = await says(office.desk, "head", email="head@example.vn", quiet_from="22:00", quiet_to="06:00")
    assert [one.confirmed for one in same.addresses] == [True]
    other = await says(office.desk, "head", email="khac@example.vn")
    assert [one.confirmed for one in other.addresses] == [False]
    assert await office.desk.number("SELECT count(*) FROM route") == 0


async def test_codes_are_not_sent_to_strangers_again_and_again(office: Office):
    """A minute apart, five a day, whatever the address: the refusal says when to ask again."""
    await says(office.desk, "head", email="a@example.vn")
    request = channels_pb2.SendAddressCodeRequest(channel=EMAIL)
    fault = await refusal(office.desk.call("head", "channels", "SendAddressCode", request))
    assert (fault.reason, fault.retry_after) == ("CODE_TOO_SOON", BETWEEN)
    for _ in range(MOST_A_DAY - 1):
        office.clock.advance(BETWEEN)
        await office.desk.call("head", "channels", "SendAddressCode", request)
    office.clock.advance(BETWEEN)
    await says(office.desk, "head", email="b@example.vn")
    assert (await refusal(office.desk.call("head", "channels", "SendAddressCode", request))).reason == "CODE_TOO_SOON"
    assert await office.desk.number("SELECT day_count FROM address_code") == MOST_A_DAY
    nothing = channels_pb2.SendAddressCodeRequest(channel=SMS)
    assert (await refusal(office.desk.call("head", "channels", "SendAddressCode", nothing))).reason == (
        "NOTHING_TO_CONFIRM"
    )


async def test_an_address_that_is_refused_for_good_is_used_no_more_and_its_owner_is_told(office: Office, listener: Any):
    """The mail falls back to the telephone, the inbox says why, and the next matter goes there at once."""
    listener.answer = {"code": "0"}
    await office.reach("head", email="tu-choi@example.vn", phone="+84912345678")
    await office.alarm(change("RAISED"))
    await office.until("SENT", "DEAD")
    shown = (await office.desk.call("head", "channels", "GetMyChannels", channels_pb2.GetMyChannelsRequest())).channels
    assert [(one.channel, one.failure[:3]) for one in shown.addresses] == [(EMAIL, "550"), (SMS, "")]
    told = [one for one in await office.desk.notices("head") if one.topic == "address"]
    assert [one.title_vi for one in told] == ["Không gửi được thư tới tu-choi@example.vn"]
    assert told[0].body_vi.startswith("Máy chủ thư trả lời không có hộp thư này. Từ nay không gửi tới đó nữa")
    assert (shown.addresses[0].failure_vi, shown.addresses[1].failure_vi) == (
        "Máy chủ thư trả lời không có hộp thư này",
        "",
    )
    assert "550" in told[0].body_vi

    grave = change("RAISED", alert_id=9, position=9)
    grave.alert.severity = 3  # type: ignore[assignment]  # critical
    await office.alarm(grave)
    sms, *_ = await office.until("SENT", "SENT", "DEAD")
    assert sms.channel == SMS
    assert len([one for one in await office.desk.notices("head") if one.topic == "address"]) == 1


async def test_what_waits_for_a_refused_address_leaves_by_the_other_channel(office: Office, listener: Any):
    """Nothing that was to go there is lost, and none of it is tried there; a code for it goes nowhere else."""
    listener.answer = {"code": "0"}
    await office.reach("head", email="tu-choi@example.vn", phone="+84912345678", quiet_from="00:00", quiet_to="23:59")
    grave = change("RAISED", alert_id=9, position=9)
    grave.alert.severity = 3  # type: ignore[assignment]  # critical: it leaves in quiet hours and is refused
    await office.alarm(change("RAISED"))
    await poll_until(lambda: office.desk.number("SELECT count(*) FROM delivery WHERE dispatch_id IS NULL"))
    async with office.desk.database.transaction() as connection:
        await connection.exec_driver_sql(CODE_THAT_WAITS)
    await office.alarm(grave)
    await poll_until(lambda: _diverted(office))
    assert await office.desk.number("SELECT count(*) FROM delivery WHERE matter_id = -99") == 0


async def _diverted(office: Office) -> bool:
    office.clock.advance(timedelta(seconds=5))
    waiting = "SELECT count(*) FROM delivery WHERE dispatch_id IS NULL AND matter_id = 7 AND channel = "
    return await office.desk.number(waiting + "'sms'") == 1 and await office.desk.number(waiting + "'email'") == 0


async def test_a_code_never_falls_back_to_another_channel(office: Office, listener: Callable[..., Any]):
    """Else whoever has the telephone could confirm the mail address of somebody else."""
    await office.reach("head", phone="+84912345678")
    await says(office.desk, "head", email="tu-choi@example.vn", phone="+84912345678")
    await office.until("DEAD")
    assert listener.got == []  # type: ignore[attr-defined]


async def test_no_code_is_said_to_be_sent_where_no_provider_is_set_up(desk: Any):
    """The number is kept, shown as one that nothing can be sent to, and asking for a code is refused by name."""
    shown = await says(desk, "head", phone="+84912345678", email="head@example.vn")
    assert [(one.channel, one.confirmed, one.not_set_up) for one in shown.addresses] == [
        (EMAIL, False, True),
        (SMS, False, True),
    ]
    assert await desk.number("SELECT count(*) FROM address_code") == 0
    assert await desk.number("SELECT count(*) FROM delivery") == 0
    request = channels_pb2.SendAddressCodeRequest(channel=SMS)
    fault = await refusal(desk.call("head", "channels", "SendAddressCode", request))
    assert (fault.reason, fault.kind) == ("CHANNEL_NOT_SET_UP", Kind.PRECONDITION)
    assert "an SMS provider is not set up here" in fault.en
    assert [one.field for one in fault.violations] == ["channel"]


async def test_a_code_is_sent_once_a_provider_is_set_up(office: Office, listener: Any):
    """To a number that was kept before there was one, on demand."""
    async with office.desk.database.transaction() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO contact (subject, email, phone, language, quiet_from, quiet_to, update_time, phone_confirmed)"
            " VALUES ('head', '', '+84912345678', 'vi', '', '', now(), false)"
        )
    listener.answer = {"code": "0"}
    request = channels_pb2.SendAddressCodeRequest(channel=SMS)
    await office.desk.call("head", "channels", "SendAddressCode", request)
    await office.until("SENT")
    assert len(listener.got) == 1


@given(minutes=st.lists(st.integers(0, 2000), max_size=20))
def test_no_more_codes_than_five_within_a_day_are_sent(minutes: list[int]) -> None:
    """However they are asked for: counted from the first of a day."""
    code, times, now = None, [], NOW
    for step in minutes:
        now += timedelta(minutes=step)
        if code is None or code.may_follow(now) is None:
            code = sent(code, "123456", subject="s", channel="email", address="a@b", matter_id=-1, now=now)
            times.append(now)
            assert code.fits("123456", now=now)
            assert not code.fits("123457", now=now)
    for begin in times:
        assert sum(1 for one in times if begin <= one < begin + BETWEEN) == 1
    assert digest("s", "1") != digest("t", "1")
