"""Announcements from a draft to the last answer, through the real interceptors."""

import hashlib
import io
import threading
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from iocedu.notify.v1 import (
    announcement_pb2,
    announcements_pb2,
    audience_pb2,
    my_announcements_pb2,
    notify_pb2,
    receipts_pb2,
)

from chassis.errors import Fault, Kind
from services.notify.convert.workbook import workbook
from services.notify.domain.announcements import Progress
from services.notify.servicer import receipts
from services.notify.store.objects import NoRoomError, Objects
from services.notify.store.tables import receipt_table
from services.notify.usecases.attaching import GRACE, discard_contents
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import (
    DISTRICT,
    NOW,
    OTHER_DISTRICT,
    PROVINCE,
    SCHOOL,
    SECOND_SCHOOL,
    connection,
    connections,
    hours,
)
from tests.integration.notify import people
from tests.integration.notify.people import HEADS, LOWER_SECONDARY, PRIMARY, Desk, draft, group
from tests.support.waiting import poll_until

FORM = [
    announcement_pb2.FormField(name="damage", label="Thiệt hại", type=announcement_pb2.FIELD_TYPE_TEXT),
    announcement_pb2.FormField(
        name="rooms", label="Số phòng hư hỏng", type=announcement_pb2.FIELD_TYPE_NUMBER, required=True, least=0
    ),
]
PDF = b"%PDF-1.7\n" + b"0" * 300_000


async def _preview(desk: Desk, *groups: Any, by: str = "director", unit: int = PROVINCE, **more: Any) -> Any:
    audience = audience_pb2.Audience(groups=groups, **more)
    request = announcements_pb2.PreviewAudienceRequest(unit=str(unit), audience=audience)
    return (await desk.call(by, "announcements", "PreviewAudience", request)).preview


async def _refused(awaited: Any) -> Fault:
    with pytest.raises(Fault) as refused:
        await awaited
    return refused.value


async def _summary(desk: Desk, sent: Any, *, by: str = "director", below: str = "") -> Any:
    request = receipts_pb2.SummarizeReceiptsRequest(
        unit=str(sent.unit_id), announcement_id=sent.announcement_id, below=below
    )
    return await desk.call(by, "receipts", "SummarizeReceipts", request)


def _answer(sent: Any, **answers: str) -> my_announcements_pb2.AnswerAnnouncementRequest:
    return my_announcements_pb2.AnswerAnnouncementRequest(announcement_id=sent.announcement_id, answers=answers)


async def test_an_audience_is_found_by_kind_label_role_and_unit(desk):
    """All primary schools of a district; all lower secondary ones; the officers of districts; with how many and who."""
    primary = await _preview(desk, group(labels=[PRIMARY]))
    assert sorted(one.subject for one in primary.recipients) == ["head", "second-head"]
    assert (primary.recipient_count, primary.unit_count, dict(primary.by_role)) == (2, 2, {"head_teacher": 2})
    assert [one.subject for one in (await _preview(desk, group(labels=[LOWER_SECONDARY]))).recipients] == ["other-head"]
    officers = await _preview(desk, group(roles=["officer"], kinds=["office"]))
    assert sorted(one.subject for one in officers.recipients) == ["officer", "other-officer"]
    assert list(officers.unreached_units) == ["Tỉnh Quảng Nam"]


async def test_an_audience_follows_the_grants_of_the_moment_it_is_sent(desk, scopes_tree):
    """Approved for one head teacher, sent when another stands in: whoever holds the role then is told."""
    begun = await desk.create(draft(group(SECOND_SCHOOL)))
    await desk.step("Approve", begun)
    moved = people.grants()
    for grant in moved:
        if grant.subject == "second-head":
            grant.subject = "deputy"
    await scopes_tree(people.units(), moved)

    async def known() -> bool:
        return [one.subject for one in (await _preview(desk, group(SECOND_SCHOOL))).recipients] == ["deputy"]

    await poll_until(known)
    await desk.step("Schedule", begun)
    await desk.delivered(begun.announcement_id)
    assert await desk.notices("second-head") == []
    assert [notice.announcement_id for notice in await desk.notices("deputy")] == [begun.announcement_id]


async def test_schools_silent_for_three_days_are_an_audience(desk, bus, clock):
    """Known from what sync tells of connections; a school that sends is out of it at once."""
    quiet = connection(SCHOOL, created=NOW - hours(24 * 9), accepted=NOW - hours(80))
    lively = connection(SECOND_SCHOOL, created=NOW - hours(24 * 9), accepted=NOW - hours(2))
    await scenes.publish(bus, "sync", "connections-changed", connections(quiet, lively))
    await poll_until(lambda: _reaches(desk, ["head"]))
    sent = connection(SCHOOL, created=NOW - hours(24 * 9), accepted=NOW)
    await scenes.publish(bus, "sync", "connections-changed", connections(sent), time=NOW + hours(1))
    await poll_until(lambda: _reaches(desk, []))


async def _reaches(desk: Desk, subjects: list[str]) -> bool:
    try:
        found = await _preview(desk, group(silent_days=3))
    except Fault as fault:
        return fault.reason == "AUDIENCE_EMPTY" and not subjects
    return [one.subject for one in found.recipients] == subjects


@pytest.mark.parametrize(
    ("groups", "more", "reason", "field"),
    [
        ([group(roles=["integrator"])], {}, "AUDIENCE_EMPTY", "audience"),
        ([group(kinds=[])], {}, "AUDIENCE_EVERYBODY", "audience.groups[0]"),
        ([group(4711)], {}, "AUDIENCE_OUTSIDE", "audience.groups[0].unit"),
        ([], {"subjects": ["nobody-here"]}, "AUDIENCE_OUTSIDE", "audience.subjects"),
    ],
)
async def test_an_audience_of_nobody_of_everybody_or_of_others_is_refused(desk, groups, more, reason, field):
    """Each with the field it is about, and what to do."""
    fault = await _refused(_preview(desk, *groups, **more))
    assert fault.reason == reason
    assert [violation.field for violation in fault.violations] == [field]


async def test_the_whole_province_is_told_when_that_is_said(desk):
    """The flag is the difference."""
    assert (await _preview(desk, group(kinds=[]), everybody=True)).recipient_count == len(HEADS)


async def test_an_officer_reaches_no_other_district(desk):
    """Neither by naming it nor by acting for it."""
    outside = await _refused(_preview(desk, group(OTHER_DISTRICT), by="officer", unit=DISTRICT))
    assert (outside.kind, outside.reason) == (Kind.DENIED, "AUDIENCE_OUTSIDE")
    denied = await _refused(_preview(desk, group(OTHER_DISTRICT), by="officer", unit=OTHER_DISTRICT))
    assert (denied.kind, denied.reason) == (Kind.DENIED, "NO_GRANT")


async def test_from_draft_to_recall_each_step_needs_the_one_before(desk):
    """Not sent without approval, not changed once it leaves, an officer does not approve; taken back it says so."""
    begun = await desk.create(draft(group(DISTRICT)), unit=DISTRICT, by="officer")
    assert begun.state == announcement_pb2.ANNOUNCEMENT_STATE_DRAFT
    assert (await _refused(desk.step("Schedule", begun, by="officer"))).reason == "WRONG_STATE"
    assert (await _refused(desk.step("Approve", begun, by="officer"))).reason == "NO_GRANT"
    approved = await desk.step("Approve", begun)
    assert (approved.state, approved.approved_by) == (announcement_pb2.ANNOUNCEMENT_STATE_APPROVED, "director")
    changed = await desk.step("Update", begun, by="officer", draft=draft(group(DISTRICT), title_vi="Sửa lại"))
    assert (changed.state, changed.approved_by) == (announcement_pb2.ANNOUNCEMENT_STATE_DRAFT, "")
    stale = await _refused(desk.step("Approve", begun, etag=approved.etag))
    assert (stale.kind, stale.reason) == (Kind.CONFLICT, "STALE_ETAG")
    await desk.step("Approve", begun)
    await desk.step("Schedule", begun, by="officer")
    await desk.delivered(begun.announcement_id)
    assert (await _refused(desk.step("Update", begun, draft=draft()))).reason == "WRONG_STATE"
    recalled = await desk.step("Recall", begun, reason="Nhầm số liệu")
    assert (recalled.state, recalled.recipient_count) == (announcement_pb2.ANNOUNCEMENT_STATE_RECALLED, 2)
    [notice] = await desk.notices("head")
    assert notice.recalled
    assert (notice.topic, notice.title_vi) == ("announcement", "Sửa lại")


async def test_a_step_that_comes_too_late_says_what_to_do_instead(desk):
    """What was sent is not to be approved; where no question is asked nothing has closed."""
    sent = await desk.send(draft(group(SCHOOL)))
    again = await _refused(desk.step("Schedule", sent))
    assert (again.reason, again.en) == ("WRONG_STATE", "The announcement is SENT. It has been sent already.")
    unasked = await _refused(desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="1")))
    assert (unasked.kind, unasked.reason) == (Kind.PRECONDITION, "NO_FORM")
    await desk.step("Recall", sent, reason="Nhầm")
    again = await _refused(desk.step("Schedule", sent))
    assert again.en == "The announcement is RECALLED. Begin another."
    closed = await _refused(desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="1")))
    assert (closed.reason, closed.metadata["state"]) == ("WRONG_STATE", "RECALLED")


async def test_it_leaves_at_its_time_and_not_before(desk, clock):
    """Tomorrow at eight; until then nobody has it."""
    begun = await desk.create(draft())
    await desk.step("Approve", begun)
    await desk.step("Schedule", begun, send_time=NOW + timedelta(hours=20))
    assert await desk.notices("head") == []
    clock.advance(timedelta(hours=20))
    await desk.delivered(begun.announcement_id)
    assert [len(await desk.notices(head)) for head in HEADS] == [1, 1, 1]


@pytest.mark.parametrize("hours_from_now", [-1, 72])
async def test_nothing_is_sent_in_the_past_nor_behind_its_due_time(desk, hours_from_now):
    """An hour ago, or at the very due time: refused by the field, and it waits for another."""
    begun = await desk.create(draft(form=FORM, due_time=NOW + timedelta(days=3)))
    await desk.step("Approve", begun)
    fault = await _refused(desk.step("Schedule", begun, send_time=NOW + hours(hours_from_now)))
    assert (fault.reason, [one.field for one in fault.violations]) == ("INVALID_TIME", ["send_time"])
    assert (await desk.step("Get", begun)).state == announcement_pb2.ANNOUNCEMENT_STATE_APPROVED


async def test_an_audience_that_is_gone_at_its_time_is_reported_and_sends_nothing(desk, clock, scopes_tree):
    """The announcement goes back to its writer, with the reason."""
    begun = await desk.create(draft(group(SCHOOL)))
    await desk.step("Approve", begun)
    await desk.step("Schedule", begun, send_time=NOW + timedelta(hours=1))
    await scopes_tree(people.units(), [one for one in people.grants() if one.subject != "head"])
    await poll_until(lambda: _nobody(desk))
    clock.advance(timedelta(hours=1))

    async def back() -> bool:
        return bool((await desk.step("Get", begun)).failure == "AUDIENCE_EMPTY")

    await poll_until(back)
    assert (await desk.step("Get", begun)).state == announcement_pb2.ANNOUNCEMENT_STATE_APPROVED


async def _nobody(desk: Desk) -> bool:
    try:
        await _preview(desk, group(SCHOOL))
    except Fault as fault:
        return fault.reason == "AUDIENCE_EMPTY"
    return False


async def test_a_superior_sees_who_received_opened_confirmed_and_answered_by_unit(desk):
    """One answers, one confirms, one does nothing: rolled up by district, and listed by name."""
    sent = await desk.send(draft(receipt_required=True, form=FORM))
    await desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="3", damage="Tốc mái"))
    await desk.confirm("second-head")
    summary = await _summary(desk, sent)
    total = summary.total
    assert (total.recipient_count, total.delivered_count, total.opened_count) == (3, 3, 2)
    assert (total.acknowledged_count, total.answered_count, total.done_count) == (2, 1, 1)
    assert (total.unit_count, total.done_unit_count) == (3, 1)
    assert [(one.unit_name, one.recipient_count, one.answered_count) for one in summary.units] == [
        ("Huyện Duy Xuyên", 1, 0),
        ("Huyện Đại Lộc", 2, 1),
    ]
    district = await _summary(desk, sent, below=str(DISTRICT))
    assert [(one.unit_id, one.done_count) for one in district.units] == [(SCHOOL, 1), (SECOND_SCHOOL, 0)]
    request = receipts_pb2.ListReceiptsRequest(
        unit=str(PROVINCE), announcement_id=sent.announcement_id, outstanding_only=True, page_size=1
    )
    first = await desk.call("director", "receipts", "ListReceipts", request)
    request.page_token = first.next_page_token
    second = await desk.call("director", "receipts", "ListReceipts", request)
    assert [one.subject for one in (*first.receipts, *second.receipts)] == ["second-head", "other-head"]
    assert not second.next_page_token


async def test_units_with_nobody_to_tell_stand_in_the_picture(desk, scopes_tree):
    """A school without a head teacher is shown as unreached, not forgotten."""
    await scopes_tree(people.units(), [one for one in people.grants() if one.subject != "second-head"])

    async def known() -> bool:
        return bool((await _preview(desk, group())).unreached_count == 1)

    await poll_until(known)
    sent = await desk.send(draft())
    summary = await _summary(desk, sent)
    assert (summary.total.unit_count, summary.total.unreached_unit_count) == (3, 1)


async def test_answers_fit_the_form_or_name_what_does_not(desk):
    """A missing one, a number below its least, and one nobody asked for; then a good one, which replaces itself."""
    sent = await desk.send(draft(form=FORM))
    wrong = await _refused(desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="-1", other="x")))
    assert wrong.reason == "INVALID_ANSWER"
    assert {violation.field for violation in wrong.violations} == {'answers["rooms"]', 'answers["other"]'}
    await desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="2,50"))
    answered = await desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="4"))
    assert dict(answered.announcement.answers) == {"rooms": "4"}
    [notice] = await desk.notices("head")
    assert notice.state == notify_pb2.NOTICE_STATE_ACKNOWLEDGED


async def test_behind_the_due_time_an_answer_stands_and_a_first_one_is_still_taken(desk, clock):
    """Late is better than never; changing what was reported in time is not open any more."""
    due = NOW + timedelta(days=2)
    sent = await desk.send(draft(form=FORM, due_time=due))
    await desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="1"))
    clock.advance(timedelta(days=3))
    late = await _refused(desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="2")))
    assert late.reason == "TOO_LATE"
    first = await desk.call("second-head", "mine", "AnswerAnnouncement", _answer(sent, rooms="2"))
    assert first.announcement.answer_time.ToDatetime() > due.replace(tzinfo=None)


async def test_it_is_its_readers_alone(desk):
    """Whoever did not get it neither sees nor answers it, nor its files."""
    sent = await desk.send(draft(group(SCHOOL), form=FORM))
    seen = my_announcements_pb2.GetMyAnnouncementRequest(announcement_id=sent.announcement_id)
    for method, request in (("GetMyAnnouncement", seen), ("AnswerAnnouncement", _answer(sent, rooms="1"))):
        assert (await _refused(desk.call("other-head", "mine", method, request))).reason == "UNKNOWN_ANNOUNCEMENT"


async def test_those_who_owe_something_are_reminded_by_hand_and_by_the_clock(desk, clock):
    """A day before the due time, each once; who has answered is left in peace; a reminder is unread again."""
    sent = await desk.send(draft(form=FORM, due_time=NOW + timedelta(days=3), reminder_hours=[24]))
    await desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="1"))
    await desk.call(
        "second-head",
        "inbox",
        "ReadNotice",
        notify_pb2.ReadNoticeRequest(notice_id=(await desk.notices("second-head"))[0].notice_id),
    )
    request = receipts_pb2.RemindRecipientsRequest(unit=str(PROVINCE), announcement_id=sent.announcement_id)
    assert (await desk.call("director", "receipts", "RemindRecipients", request)).reminded_count == 2
    [again] = await desk.notices("second-head")
    assert again.state == notify_pb2.NOTICE_STATE_UNREAD
    assert again.HasField("read_time")
    clock.advance(timedelta(days=2))
    reminded = f"SELECT sum(reminder_count) FROM receipt WHERE announcement_id = {sent.announcement_id}"
    await poll_until(lambda: _is(desk, reminded, 4))
    assert await desk.number("SELECT count(*) FROM announcement WHERE remind_time IS NOT NULL") == 0


async def _reminded(desk: Desk, sent: Any) -> tuple[int, int]:
    """Remind by hand: how many were, and how many were left in peace since they had been just before."""
    request = receipts_pb2.RemindRecipientsRequest(unit=str(PROVINCE), announcement_id=sent.announcement_id)
    answer = await desk.call("director", "receipts", "RemindRecipients", request)
    return answer.reminded_count, answer.lately_count


async def test_nobody_is_reminded_by_hand_twice_within_a_day(desk, clock):
    """Whoever presses again is told how many were reminded just before; a day later they are once more."""
    sent = await desk.send(draft(form=FORM))
    assert await _reminded(desk, sent) == (3, 0)
    clock.advance(timedelta(hours=23))
    assert await _reminded(desk, sent) == (0, 3)
    await desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="1"))
    clock.advance(timedelta(hours=1))
    assert await _reminded(desk, sent) == (2, 0)


async def test_where_nothing_is_owed_nobody_is_reminded(desk):
    """What asks for no confirmation and no answer by no time is not unread again."""
    sent = await desk.send(draft(group(SCHOOL)))
    [notice] = await desk.notices("head")
    await desk.call("head", "inbox", "ReadNotice", notify_pb2.ReadNoticeRequest(notice_id=notice.notice_id))
    unopened = await desk.send(draft(group(SECOND_SCHOOL)))
    assert [await _reminded(desk, one) for one in (sent, unopened)] == [(0, 0), (0, 0)]
    assert await desk.number("SELECT sum(reminder_count) FROM receipt") == 0


async def _is(desk: Desk, question: str, expected: int) -> bool:
    return await desk.number(question) == expected


async def test_files_come_back_as_they_were_and_only_known_types_are_taken(desk):
    """A PDF for its reader; a program by the name of a PDF, and a PDF by another name, are refused."""
    begun = await desk.create(draft(group(SCHOOL)))

    def file(name: str, content: bytes) -> announcements_pb2.AddAttachmentRequest:
        return announcements_pb2.AddAttachmentRequest(
            unit=str(PROVINCE), announcement_id=begun.announcement_id, name=name, content=content
        )

    attached = await desk.call("director", "announcements", "AddAttachment", file("../mẫu báo cáo.pdf", PDF))
    [kept] = attached.announcement.attachments
    assert (kept.name, kept.media_type, kept.size) == ("mẫu báo cáo.pdf", "application/pdf", len(PDF))
    for name, content in (("a.pdf", b"MZ\x90\x00 not a document"), ("a.png", PDF), ("a.docx", b"PK\x03\x04 broken")):
        refused = await _refused(desk.call("director", "announcements", "AddAttachment", file(name, content)))
        assert refused.reason == "ATTACHMENT_TYPE"
    await desk.step("Approve", begun)
    await desk.step("Schedule", begun)
    await desk.delivered(begun.announcement_id)
    wanted = my_announcements_pb2.GetAttachmentRequest(
        announcement_id=begun.announcement_id, attachment_id=kept.attachment_id
    )
    assert (await desk.call("head", "mine", "GetAttachment", wanted)).content == PDF
    assert (await desk.call("director", "mine", "GetAttachment", wanted)).content == PDF
    assert (await _refused(desk.call("other-head", "mine", "GetAttachment", wanted))).reason == "UNKNOWN_ANNOUNCEMENT"


async def test_a_content_that_came_to_go_with_nothing_is_deleted(desk, bus, monkeypatch):
    """As where attaching broke off behind the upload; what is attached stays."""
    begun = await desk.create(draft(group(SCHOOL)))
    request = announcements_pb2.AddAttachmentRequest(
        unit=str(PROVINCE), announcement_id=begun.announcement_id, name="a.pdf", content=PDF
    )
    await desk.call("director", "announcements", "AddAttachment", request)

    async def broken(*_: Any) -> None:
        raise ConnectionResetError("cut")

    monkeypatch.setattr("services.notify.servicer.announcements.attach", broken)
    request.content = PDF + b"1"
    await _refused(desk.call("director", "announcements", "AddAttachment", request))
    objects = Objects(bus, most_bytes=4 * 1024**3)
    lost = hashlib.sha256(request.content).hexdigest()
    assert await objects.get(lost) == request.content

    async with desk.database.transaction() as connection:
        now = NOW + GRACE + timedelta(seconds=1)
        assert await discard_contents(connection, objects.delete, now=now) == 2

    assert await objects.get(lost) is None
    assert await objects.get(hashlib.sha256(PDF).hexdigest()) == PDF


async def test_files_of_what_was_taken_back_are_kept_from_its_readers(desk, kept):
    """Whoever had the notice is told that it was recalled; whoever never got it is told nothing; its writer has it."""
    begun = await desk.create(draft(group(SCHOOL)))
    request = announcements_pb2.AddAttachmentRequest(
        unit=str(PROVINCE), announcement_id=begun.announcement_id, name="a.pdf", content=PDF
    )
    [file] = (await desk.call("director", "announcements", "AddAttachment", request)).announcement.attachments
    await desk.step("Approve", begun)
    await desk.step("Schedule", begun)
    await desk.delivered(begun.announcement_id)
    await desk.step("Recall", begun, reason="Nhầm số liệu")
    wanted = my_announcements_pb2.GetAttachmentRequest(
        announcement_id=begun.announcement_id, attachment_id=file.attachment_id
    )
    assert (await _refused(desk.call("head", "mine", "GetAttachment", wanted))).reason == "WRONG_STATE"
    async with kept.transaction() as connection:
        await connection.execute(sa.update(receipt_table).values(progress=int(Progress.WITHDRAWN)))
    assert (await _refused(desk.call("head", "mine", "GetAttachment", wanted))).reason == "UNKNOWN_ANNOUNCEMENT"
    assert (await desk.call("director", "mine", "GetAttachment", wanted)).content == PDF


async def test_attachments_take_no_more_than_they_are_given(desk, bus):
    """A bucket made without a bound takes one; what is beyond it is refused with the remedy, what is kept stays."""
    await bus.jetstream.create_object_store("attachments")
    await Objects(bus, most_bytes=1_000_000).put("first", PDF)
    roomless = Objects(bus, most_bytes=400_000)
    with pytest.raises(NoRoomError):
        await roomless.put("second", PDF)
    assert (await roomless.get("first"), await roomless.get("second")) == (PDF, None)


@pytest.mark.parametrize("field", ["title_vi", "body_vi"])
async def test_an_announcement_that_says_nothing_is_not_begun(desk, field):
    """Spaces are no title and no text."""
    fault = await _refused(desk.create(draft(**{field: "   "})))
    assert (fault.reason, [one.field for one in fault.violations]) == ("INVALID_FIELD", [f"draft.{field}"])


async def test_a_form_that_contradicts_itself_is_refused_by_the_field(desk):
    """A choice without choices, a name twice, no question."""
    form = [
        announcement_pb2.FormField(name="a", label="A", type=announcement_pb2.FIELD_TYPE_CHOICE),
        announcement_pb2.FormField(name="a", label=" ", type=announcement_pb2.FIELD_TYPE_TEXT),
    ]
    refused = await _refused(desk.create(draft(form=form)))
    assert refused.reason == "INVALID_FORM"
    assert [violation.field for violation in refused.violations] == [
        "draft.form[0].choices",
        "draft.form[1].name",
        "draft.form[1].label",
    ]


async def test_a_repeated_beginning_is_one_announcement(desk):
    """Under one request id, however often and at once."""
    request = announcements_pb2.CreateAnnouncementRequest(unit=str(PROVINCE), draft=draft(), request_id="once")
    made = await desk.together(
        *(desk.call("director", "announcements", "CreateAnnouncement", request) for _ in range(5))
    )
    assert len({one.announcement.announcement_id for one in made}) == 1


async def test_answers_come_out_as_a_workbook(desk, monkeypatch):
    """A row a recipient, numbers as numbers, and what looks like a formula stays a text; made beside the loop."""
    made_by: list[int] = []

    def made(*given: Any) -> bytes:
        made_by.append(threading.get_ident())
        return workbook(*given)

    monkeypatch.setattr(receipts, "workbook", made)
    sent = await desk.send(draft(form=FORM))
    await desk.call("head", "mine", "AnswerAnnouncement", _answer(sent, rooms="3", damage="=1+1"))
    request = receipts_pb2.ExportReceiptsRequest(unit=str(PROVINCE), announcement_id=sent.announcement_id)
    exported = await desk.call("director", "receipts", "ExportReceipts", request)
    sheet = openpyxl.load_workbook(io.BytesIO(exported.content)).active
    assert sheet is not None
    rows = {row[1].value: row for row in sheet.iter_rows(min_row=3)}
    assert set(rows) == set(HEADS)
    assert [rows["head"][column].value for column in (0, 8, 9)] == ["TH Ái Nghĩa", "=1+1", 3]
    assert rows["head"][8].data_type == "s"
    assert rows["other-head"][9].value in (None, "")
    assert made_by
    assert threading.get_ident() not in made_by
