"""Batches that are everything a source has: what they lack is gone, once, and never by mistake."""

import random
from datetime import UTC, timedelta
from typing import Any

import pytest
from iocedu.records.v1 import records_pb2, records_pb2_grpc
from iocedu.sync.v1 import quarantine_pb2, sync_pb2

from chassis.errors import Fault, Kind
from chassis.testing import client
from services.sync.usecases import full as usecases
from tests.integration.sync.files import class_of
from tests.integration.sync.test_quarantine import kept, ward
from tests.integration.sync.world import (
    ACCEPTED,
    ADMINISTRATOR,
    CLERK,
    COMMUNE,
    PROVINCE,
    REJECTED,
    SCHOOL_A,
    SCHOOL_B,
    SCHOOL_C,
    STALE,
    VENDOR,
    World,
    document,
    granted,
    moet_pupil,
    ndjson,
    pupil,
    push,
)
from tests.support.waiting import poll_until

OPEN, DONE, ASKED, UNSURE, SUPERSEDED, NOT_SO = 1, 2, 3, 4, 5, 6


def full(version: int, **fields: Any) -> sync_pb2.FullOf:
    """Everything of the school's pupils of 2026."""
    place: dict[str, Any] = {"school": SCHOOL_A, "school_year": 2026, "collection": "pupils", "version": version}
    return sync_pb2.FullOf(**(place | fields))


async def there(here: World) -> dict[str, int]:
    """Keys and versions of the school's pupils."""
    channel = client(here.records_address, here.keys.mint(ADMINISTRATOR))
    stub: records_pb2_grpc.RecordsServiceAsyncStub = records_pb2_grpc.RecordsServiceStub(
        await here.stack.enter_async_context(channel)
    )
    request = records_pb2.ListRecordsRequest(unit=SCHOOL_A, collection="pupils", page_size=1000)
    return {one.row.key: one.row.version for one in (await stub.ListRecords(request)).records}


async def test_what_a_full_batch_lacks_is_gone_at_its_version(here: World) -> None:
    """Only what this source has of that school, year and collection; a repeat answers the same."""
    stub = await here.sync()
    await stub.PushRows(push("1", *(pupil(f"HS{one}") for one in range(4)), pupil("X1", school_year=2025)))
    await stub.PushRows(push("2", pupil("SMAS1"), source="smas"))
    whole = push("3", pupil("HS1"), pupil("HS2", 2, full_name="Lê Thị An"), pupil("HS9", 2), full_of=full(5))
    answer = (await stub.PushRows(whole)).outcome
    assert (answer.accepted_count, answer.unchanged_count) == (2, 1)
    assert (answer.full.state, answer.full.disappeared_count) == (DONE, 2)
    assert list(answer.full.disappeared_keys) == ["HS0", "HS3"]
    assert await there(here) == {"HS1": 1, "HS2": 2, "HS9": 2, "X1": 1, "SMAS1": 1}
    assert (await stub.PushRows(whole)).outcome == answer
    late = (await stub.PushRows(push("4", pupil("HS0", 4), pupil("HS3", 6), pupil("HS8", 4)))).outcome
    assert list(late.states) == [STALE, ACCEPTED, STALE], "HS8 was gone before the centre ever heard of it"
    again = (
        await stub.PushRows(push("5", pupil("HS1"), pupil("HS2", 2, full_name="Lê Thị An"), full_of=full(7)))
    ).outcome
    assert list(again.full.disappeared_keys) == ["HS3", "HS9"]


async def test_a_refused_row_was_in_it_all_the_same(here: World) -> None:
    """Its record stays as it is; and it may be corrected in the quarantine, though it is below the version."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1"), pupil("HS2")))
    rows = [pupil("HS1", 2, birth_date="31/02/2014"), pupil("HS3", 2, birth_date="31/02/2014")]
    answer = (await stub.PushRows(push("2", *rows, full_of=full(9)))).outcome
    assert (list(answer.states), list(answer.full.disappeared_keys)) == ([REJECTED, REJECTED], ["HS2"])
    for row in await kept(here):
        request = quarantine_pb2.CorrectQuarantinedRowRequest(unit=SCHOOL_A, quarantined_row_id=row.quarantined_row_id)
        request.values["pupil.birth_date"] = "2014-03-10"
        assert (await (await ward(here)).CorrectQuarantinedRow(request)).state == ACCEPTED
    assert await there(here) == {"HS1": 2, "HS3": 2}


async def test_nothing_is_gone_where_it_cannot_be_told_what_was_in_it(here: World) -> None:
    """A row without a key, and a line that is no JSON."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1.2026"), pupil("HS2.2026")))
    answer = (await stub.PushRows(push("2", pupil("HS1.2026"), pupil(""), full_of=full(9)))).outcome
    assert (answer.full.state, answer.full.unsure_count) == (UNSURE, 1)
    parts = list(document(ndjson([moet_pupil("HS1")]) + b"{\n", batch_id="3"))
    parts[0].batch.full_of.CopyFrom(full(9))
    answer = (await stub.PushDocument(iter(parts))).outcome
    assert answer.full.state == UNSURE
    assert sorted(await there(here)) == ["HS1.2026", "HS2.2026"]


async def test_nothing_is_gone_where_rows_were_refused_for_their_school(here: World) -> None:
    """Outside the batch's unit, or known to nobody; those of another school inside it are none of the declared one."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1"), pupil("HS2")))
    for number, school in enumerate((SCHOOL_B, "moet:404")):
        batch = push(f"2{number}", pupil("HS7", 2, school=school), unit=SCHOOL_A, full_of=full(9 + number))
        answer = (await stub.PushRows(batch)).outcome
        assert (list(answer.states), answer.full.state, answer.full.unsure_count) == ([REJECTED], UNSURE, 1)
    assert await there(here) == {"HS1": 1, "HS2": 1}
    beside = push("3", pupil("HS1", 12), pupil("HS7", 12, school=SCHOOL_B), full_of=full(12), unit=PROVINCE)
    assert list((await stub.PushRows(beside)).outcome.full.disappeared_keys) == ["HS2"]


async def test_a_document_is_everything_and_can_be_tried(here: World) -> None:
    """With the ministry's names, a date and then a year that cannot be read; tried, it changes nothing."""
    stub = await here.sync()
    await stub.PushRows(push("1", *(pupil(f"HS{one}.2026") for one in (1, 2, 3))))
    content = ndjson([moet_pupil("HS1"), moet_pupil("HS2", NGAY_SINH="31/02/2014", PHIEN_BAN=2)])

    def parts(**fields: Any) -> list[sync_pb2.PushDocumentRequest]:
        given = list(document(content, **fields))
        given[0].batch.full_of.CopyFrom(full(4))
        return given

    tried = parts()
    tried[0].validate_only = True
    looked = (await stub.PushDocument(iter(tried))).outcome
    assert (looked.full.state, list(looked.full.disappeared_keys)) == (DONE, ["HS3.2026"])
    assert (len(await there(here)), await here.count("declaration"), await here.count("batch")) == (3, 0, 1)
    stored = (await stub.PushDocument(iter(parts()))).outcome
    assert stored.full == looked.full
    assert sorted(await there(here)) == ["HS1.2026", "HS2.2026"]
    assert (await stub.PushDocument(iter(parts()))).outcome == stored
    content = ndjson([moet_pupil("HS1"), moet_pupil("HS2", NAM_HOC="2026-27-28")])
    assert (await stub.PushDocument(iter(parts(batch_id="year")))).outcome.full.state == UNSURE
    assert sorted(await there(here)) == ["HS1.2026", "HS2.2026"], "which record it is cannot be told"


async def test_several_batches_are_one_declaration_that_ends_when_all_have_come(here: World) -> None:
    """In any order, by stream or not; one that is cut deletes nothing; the repeat of an early batch tells the end."""
    stub = await here.sync()
    await stub.PushRows(push("0", *(pupil(f"HS{one}") for one in range(3))))
    first = sync_pb2.StreamBatch(batch_id="1", rows=[pupil("HS0")], full_of=full(5, declaration_id="d"))
    last = sync_pb2.StreamBatch(
        batch_id="2", rows=[pupil("HS7", 2)], full_of=full(5, declaration_id="d", batch_count=3)
    )

    async def sent(*batches: sync_pb2.StreamBatch) -> list[sync_pb2.Outcome]:
        opened = sync_pb2.StreamRowsRequest(open=sync_pb2.StreamOpen(unit=SCHOOL_A, source="vnedu"))
        messages = [opened, *(sync_pb2.StreamRowsRequest(batch=one) for one in batches)]
        return [one.item.outcome async for one in stub.StreamRows(iter(messages)) if one.HasField("item")]

    early, late = await sent(last, first)
    assert (early.full.state, late.full.state, late.full.awaited_batch_count) == (OPEN, OPEN, 1)
    assert len(await there(here)) == 4
    end = push("3", pupil("HS2", 3), full_of=full(5, declaration_id="d"))
    answer = (await stub.PushRows(end)).outcome
    assert (answer.full.state, answer.full.batch_count, list(answer.full.disappeared_keys)) == (DONE, 3, ["HS1"])
    (repeated,) = await sent(first)
    assert repeated.full == answer.full
    with pytest.raises(Fault) as over:
        await stub.PushRows(push("4", full_of=full(5, declaration_id="d")))
    assert over.value.reason == "DECLARATION_ID_REUSED"
    assert await there(here) == {"HS0": 1, "HS2": 3, "HS7": 2}


async def test_batches_of_one_declaration_are_sent_for_one_unit(here: World) -> None:
    """For another they would be a declaration of their own, and both wait for what the other has; it is said where."""
    sync = await here.sync()
    await sync.PushRows(push("b1", pupil("HS1"), full_of=full(5, declaration_id="d5", batch_count=2)))
    second = push("b2", pupil("HS2"), unit=COMMUNE, full_of=full(5, declaration_id="d5"))
    with pytest.raises(Fault) as refused:
        await sync.PushRows(second)
    assert refused.value.reason == "DECLARATION_ID_REUSED"
    school = here.scopes.tree.resolve(SCHOOL_A, here.clock.today())
    assert refused.value.metadata["unit"] == str(school)
    second.unit = SCHOOL_A
    assert (await sync.PushRows(second)).outcome.full.state == DONE


async def test_a_mass_disappearance_waits_for_a_person(here: World) -> None:
    """Nothing is gone before; a replay passes it by; the vendor cannot confirm; what came again meanwhile stays."""
    stub = await here.sync()
    await stub.PushRows(push("1", *(pupil(f"HS{one}") for one in range(10))))
    whole = push("2", pupil("HS0"), unit=PROVINCE, full_of=full(5))
    answer = (await stub.PushRows(whole)).outcome
    assert (answer.full.state, answer.full.disappeared_count) == (ASKED, 9)
    rows = await kept(here)
    assert {(row.problem.reason, row.batch_id, row.problem.metadata["gone_count"]) for row in rows} == {
        ("MASS_DISAPPEARANCE", "2", "9")
    }
    replayed = await (await ward(here)).ReplayQuarantinedRows(
        quarantine_pb2.ReplayQuarantinedRowsRequest(unit=SCHOOL_A, reason="MASS_DISAPPEARANCE")
    )
    assert (replayed.replayed_count, len(await there(here))) == (0, 10)
    await stub.PushRows(push("3", pupil("HS5", 6)))
    request = quarantine_pb2.ConfirmDisappearanceRequest(unit=SCHOOL_A, declaration_id="2", source="vnedu")
    with pytest.raises(Fault) as refused:
        await (await ward(here, VENDOR)).ConfirmDisappearance(request)
    assert refused.value.reason == "NO_GRANT"
    confirmed = (await (await ward(here)).ConfirmDisappearance(request)).full
    assert (confirmed.state, confirmed.disappeared_count, confirmed.newer_count) == (DONE, 8, 1)
    assert (await (await ward(here)).ConfirmDisappearance(request)).full == confirmed
    assert await there(here) == {"HS0": 1, "HS5": 6}
    assert await kept(here) == []
    assert (await stub.PushRows(whole)).outcome.full == confirmed
    assert (await here.count("declaration"), await here.count("declaration_batch")) == (1, 0)


async def test_who_answers_for_every_unit_is_asked_and_decides(here: World) -> None:
    """Unit 0 is every unit there, too."""
    stub = await here.sync()
    await stub.PushRows(push("1", *(pupil(f"HS{one}") for one in range(10))))
    await stub.PushRows(push("2", pupil("HS0"), full_of=full(5)))
    await granted(here, "can-bo-bo", "officer", "0")
    await poll_until(lambda: here.scopes.tree.may("can-bo-bo", ["officer"], 0, here.clock.today()))
    officer = await ward(here, "can-bo-bo")
    listed = await officer.ListDisappearances(quarantine_pb2.ListDisappearancesRequest(unit="0"))
    assert [(one.declaration_id, one.disappeared_count) for one in listed.disappearances] == [("2", 9)]
    request = quarantine_pb2.ConfirmDisappearanceRequest(unit="0", declaration_id="2", source="vnedu")
    assert (await officer.ConfirmDisappearance(request)).full.state == DONE
    assert await there(here) == {"HS0": 1}


async def test_a_person_may_say_that_nothing_of_it_is_gone(here: World) -> None:
    """With the numbers in view and a reason that is kept; the sender hears of it, and repeating is harmless."""
    stub, keeper = await here.sync(), await ward(here)
    await stub.PushRows(push("1", *(pupil(f"HS{one}") for one in range(10))))
    whole = push("2", pupil("HS0"), full_of=full(5))
    await stub.PushRows(whole)
    listing = quarantine_pb2.ListDisappearancesRequest(unit=SCHOOL_A)
    (asked,) = (await keeper.ListDisappearances(listing)).disappearances
    assert (asked.state, asked.disappeared_count, asked.held_count, asked.decided_by) == (ASKED, 9, 10, "")
    assert (asked.school_name, asked.school_year, asked.collection) == ("Trường THCS Nguyễn Du", 2026, "pupils")
    request = quarantine_pb2.RejectDisappearanceRequest(unit=SCHOOL_A, declaration_id="2", source="vnedu")
    with pytest.raises(Fault) as unsaid:
        await keeper.RejectDisappearance(request)
    assert (unsaid.value.reason, [it.field for it in unsaid.value.violations]) == ("INVALID_FIELD", ["decision_reason"])
    request.decision_reason = " Phần mềm gửi thiếu khối 7 "
    with pytest.raises(Fault) as refused:
        await (await ward(here, VENDOR)).RejectDisappearance(request)
    assert refused.value.reason == "NO_GRANT"
    rejected = (await keeper.RejectDisappearance(request)).full
    assert (rejected.state, rejected.disappeared_count) == (NOT_SO, 9)
    assert (await keeper.RejectDisappearance(request)).full == rejected
    again = quarantine_pb2.ConfirmDisappearanceRequest(unit=SCHOOL_A, declaration_id="2", source="vnedu")
    with pytest.raises(Fault) as decided:
        await keeper.ConfirmDisappearance(again)
    assert (decided.value.kind, decided.value.reason) == (Kind.PRECONDITION, "WRONG_STATE")
    assert decided.value.metadata["state"] == "REJECTED"
    assert (len(await there(here)), await kept(here)) == (10, [])
    assert (await stub.PushRows(whole)).outcome.full == rejected
    assert list((await keeper.ListDisappearances(listing)).disappearances) == []
    listing.decided = True
    (told,) = (await keeper.ListDisappearances(listing)).disappearances
    assert (told.state, told.decided_by, told.decision_reason) == (NOT_SO, CLERK, "Phần mềm gửi thiếu khối 7")
    assert told.decide_time.ToDatetime(UTC) == here.clock.now()


async def test_who_decides_sees_what_would_go_as_of_now(here: World) -> None:
    """Names and classes, masked without a purpose, page by page; what came again meanwhile counts no more."""
    stub, keeper = await here.sync(), await ward(here)
    await stub.PushRows(push("0", class_of("6A.2026")))
    await stub.PushRows(push("1", *(pupil(f"HS{one}", class_key="6A.2026") for one in range(10))))
    await stub.PushRows(push("2", pupil("HS0"), full_of=full(5)))
    await stub.PushRows(push("3", pupil("HS5", 6)))
    request = quarantine_pb2.ListDisappearingRecordsRequest(
        unit=SCHOOL_A, declaration_id="2", source="vnedu", page_size=5
    )
    first = await keeper.ListDisappearingRecords(request)
    assert (first.state, first.disappearing_count, first.held_count, len(first.records)) == (ASKED, 8, 10, 5)
    one = first.records[0]
    assert (one.key, one.record.row.pupil.full_name, one.class_name) == ("HS1", "Nguyễn Văn Hòa", "6A")
    assert one.record.masked
    request.page_token = first.next_page_token
    rest = await keeper.ListDisappearingRecords(request)
    assert [each.key for each in (*first.records, *rest.records)] == [f"HS{one}" for one in (1, 2, 3, 4, 6, 7, 8, 9)]
    with pytest.raises(Fault) as refused:
        await (await ward(here, VENDOR)).ListDisappearingRecords(request)
    assert refused.value.reason == "NO_GRANT"
    listing = quarantine_pb2.ListDisappearancesRequest(unit=SCHOOL_A)
    (asked,) = (await keeper.ListDisappearances(listing)).disappearances
    assert (asked.disappeared_count, asked.held_count) == (8, 10)


async def test_what_somebody_confirms_nobody_rejects(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it is being deleted, nor after that was cut: then it is confirmed again, and told as a whole."""
    stub, keeper = await here.sync(), await ward(here)
    await stub.PushRows(push("1", *(pupil(f"HS{one}") for one in range(10))))
    await stub.PushRows(push("2", pupil("HS0"), full_of=full(5)))
    names = {"unit": SCHOOL_A, "declaration_id": "2", "source": "vnedu"}
    rejection = quarantine_pb2.RejectDisappearanceRequest(**names, decision_reason="Gửi thiếu")
    confirmation = quarantine_pb2.ConfirmDisappearanceRequest(**names, decision_reason="Trường giải thể")
    delete, refused = usecases._delete, list[str]()

    async def cut(*given: Any) -> bytes:
        states = await delete(*given)
        with pytest.raises(Fault) as fault:
            await keeper.RejectDisappearance(rejection)
        refused.append(fault.value.reason)
        if len(refused) == 1:
            raise Fault(Kind.INTERNAL, "CUT", vi="Đứt.", en="Cut.")
        return states

    monkeypatch.setattr(usecases, "_delete", cut)
    with pytest.raises(Fault):
        await keeper.ConfirmDisappearance(confirmation)
    with pytest.raises(Fault) as late:
        await keeper.RejectDisappearance(rejection)
    assert late.value.reason == "WRONG_STATE"
    told = (await keeper.ConfirmDisappearance(confirmation)).full
    assert (told.state, told.disappeared_count, told.held_count) == (DONE, 9, 10), "with what went before it was cut"
    assert sorted(told.disappeared_keys) == [f"HS{one}" for one in range(1, 10)]
    assert refused == ["WRONG_STATE", "WRONG_STATE"]
    assert (await there(here), await kept(here)) == ({"HS0": 1}, [])
    with pytest.raises(Fault) as done:
        await keeper.RejectDisappearance(rejection)
    assert (done.value.reason, done.value.metadata["state"]) == ("WRONG_STATE", "DONE")


async def test_a_question_of_a_lost_call_goes_with_its_declaration(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call asked and was cut before it said so; by its repeat a later declaration has come."""
    stub = await here.sync()
    everybody = [pupil(f"HS{one}") for one in range(10)]
    await stub.PushRows(push("1", *everybody))
    whole = push("2", pupil("HS0"), full_of=full(5))

    async def cut(*_given: Any, **_more: Any) -> sync_pb2.FullOutcome:
        raise Fault(Kind.INTERNAL, "CUT", vi="Đứt.", en="Cut.")

    with monkeypatch.context() as patched:
        patched.setattr(usecases, "_keep", cut)
        with pytest.raises(Fault):
            await stub.PushRows(whole)
    assert len(await kept(here)) == 9
    assert (await stub.PushRows(push("3", *everybody, full_of=full(6)))).outcome.full.state == DONE
    assert (await stub.PushRows(whole)).outcome.full.state == SUPERSEDED
    assert await kept(here) == []


async def test_what_waits_for_a_person_is_listed_page_by_page(here: World) -> None:
    """Newest first, each once; a confirmed one says who and why."""
    stub, keeper = await here.sync(), await ward(here)
    await stub.PushRows(push("1", *(pupil(f"{prefix}{one}") for one in range(10) for prefix in "AB")))
    await stub.PushRows(push("2", *(pupil(f"X{one}", school_year=2025) for one in range(10))))
    for batch, year in (("3", 2026), ("4", 2025)):
        here.clock.advance(timedelta(minutes=1))
        await stub.PushRows(push(batch, full_of=full(5, school_year=year)))
    request = quarantine_pb2.ListDisappearancesRequest(unit=SCHOOL_A, page_size=1)
    first = await keeper.ListDisappearances(request)
    request.page_token = first.next_page_token
    second = await keeper.ListDisappearances(request)
    assert [(one.declaration_id, one.disappeared_count) for page in (first, second) for one in page.disappearances] == [
        ("4", 10),
        ("3", 20),
    ]
    assert second.next_page_token == ""
    confirmed = quarantine_pb2.ConfirmDisappearanceRequest(
        unit=SCHOOL_A, declaration_id="4", source="vnedu", decision_reason="Trường giải thể"
    )
    await keeper.ConfirmDisappearance(confirmed)
    listed = await keeper.ListDisappearances(quarantine_pb2.ListDisappearancesRequest(unit=SCHOOL_A, decided=True))
    assert [(one.state, one.decided_by, one.decision_reason) for one in listed.disappearances] == [
        (DONE, CLERK, "Trường giải thể"),
        (ASKED, "", ""),
    ]


async def test_of_one_id_at_several_schools_the_one_that_is_named_is_decided_on(here: World) -> None:
    """Sources give the same ids everywhere; where the school is not said nothing is shown, deleted or rejected."""
    stub = await here.sync()
    both = [pupil(f"HS{one}", school=school) for school in (SCHOOL_A, SCHOOL_B) for one in range(10)]
    await stub.PushRows(push("1", *both, unit=PROVINCE))
    for school in (SCHOOL_A, SCHOOL_B):
        here.clock.advance(timedelta(minutes=1))
        whole = push("full-1", pupil("HS0", school=school), unit=school, full_of=full(5, school=school))
        assert (await stub.PushRows(whole)).outcome.full.state == ASKED
    await granted(here, "can-bo-xa", "officer", COMMUNE)
    await poll_until(lambda: here.scopes.tree.grants_of("can-bo-xa", here.clock.today()))
    keeper = await ward(here, "can-bo-xa")
    one: dict[str, Any] = {"unit": COMMUNE, "declaration_id": "full-1", "source": "vnedu"}
    confirming, rejecting = quarantine_pb2.ConfirmDisappearanceRequest, quarantine_pb2.RejectDisappearanceRequest
    looking = quarantine_pb2.ListDisappearingRecordsRequest

    for asked in (
        keeper.ConfirmDisappearance(confirming(**one)),
        keeper.RejectDisappearance(rejecting(**one, decision_reason="Gửi thiếu")),
        keeper.ListDisappearingRecords(looking(**one)),
    ):
        with pytest.raises(Fault) as refused:
            await asked
        assert [it.field for it in refused.value.violations] == ["school"]
        assert "Hãy ghi rõ trường" in refused.value.vi
    for school, reason in (("moet:404", "UNKNOWN_UNIT"), (SCHOOL_C, "UNKNOWN_DECLARATION")):
        with pytest.raises(Fault) as refused:
            await keeper.ConfirmDisappearance(confirming(**one, school=school))
        assert refused.value.reason == reason

    assert (await keeper.ListDisappearingRecords(looking(**one, school=SCHOOL_A))).disappearing_count == 9
    for _ in range(2):  # Twice is harmless.
        gone = (await keeper.ConfirmDisappearance(confirming(**one, school=SCHOOL_A))).full
        assert (gone.state, gone.disappeared_count) == (DONE, 9)
    assert await there(here) == {"HS0": 1}
    assert (await here.record("HS9", school=SCHOOL_B)).row.version == 1
    assert (
        await keeper.RejectDisappearance(rejecting(**one, school=SCHOOL_B, decision_reason="Gửi thiếu"))
    ).full.state == NOT_SO
    assert (await here.record("HS9", school=SCHOOL_B)).row.version == 1


async def test_no_page_asks_records_of_more_declarations_than_fifty(here: World) -> None:
    """However large a page is asked for; the rest follows on the next one."""
    async with here.sync_database.transaction() as writes:
        await writes.exec_driver_sql(
            "INSERT INTO declaration (school_id, unit_id, source, declaration_id, school_year, collection, version,"
            " batch_count, backfill, state, outcome, decided_by, create_time)"
            f" SELECT {here.origin().unit_id}, {here.origin().unit_id}, 'vnedu', 'd' || n, 2026, 'pupils', 1, 1, false,"
            f" {ASKED}, '', '', now() FROM generate_series(1, 51) AS n"
        )
    keeper = await ward(here)
    request = quarantine_pb2.ListDisappearancesRequest(unit=SCHOOL_A, page_size=1000)
    first = await keeper.ListDisappearances(request)
    request.page_token = first.next_page_token
    second = await keeper.ListDisappearances(request)
    assert (len(first.disappearances), len(second.disappearances), second.next_page_token) == (50, 1, "")


async def test_the_next_declaration_takes_the_question_away(here: World) -> None:
    """The earlier one is superseded, its deletions wait no longer; and one that comes late deletes nothing."""
    stub = await here.sync()
    everybody = [pupil(f"HS{one}") for one in range(10)]
    await stub.PushRows(push("1", *everybody))
    await stub.PushRows(push("2", pupil("HS0"), full_of=full(5)))
    assert len(await kept(here)) == 9
    assert (await stub.PushRows(push("3", *everybody[:9], full_of=full(6)))).outcome.full.state == DONE
    assert await kept(here) == []
    request = quarantine_pb2.ConfirmDisappearanceRequest(unit=SCHOOL_A, declaration_id="2", source="vnedu")
    with pytest.raises(Fault) as over:
        await (await ward(here)).ConfirmDisappearance(request)
    assert (over.value.reason, over.value.metadata["state"]) == ("WRONG_STATE", "SUPERSEDED")
    assert (await stub.PushRows(push("4", *everybody[:8], full_of=full(5)))).outcome.full.state == SUPERSEDED
    assert len(await there(here)) == 9


async def test_a_lower_declaration_beside_one_that_waits_asks_nobody(here: World) -> None:
    """Its word is older than the question: it is superseded, and the question stays as it was."""
    stub = await here.sync()
    await stub.PushRows(push("1", *(pupil(f"HS{one}") for one in range(10))))
    assert (await stub.PushRows(push("2", pupil("HS0"), full_of=full(6)))).outcome.full.state == ASKED
    lower = (await stub.PushRows(push("3", pupil("HS1"), full_of=full(5)))).outcome.full
    assert (lower.state, lower.disappeared_count) == (SUPERSEDED, 0)
    assert {row.batch_id for row in await kept(here)} == {"2"}
    assert len(await kept(here)) == 9


async def test_what_is_locked_waits_for_the_lock(here: World) -> None:
    """Its deletion is kept aside, and goes through by itself."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1"), pupil("HS2")))
    await here.lock("pupils")
    answer = (await stub.PushRows(push("2", pupil("HS1"), full_of=full(5)))).outcome
    assert (answer.full.state, answer.full.disappeared_count, answer.full.locked_count) == (DONE, 0, 1)
    assert [(row.problem.reason, row.problem.key) for row in await kept(here)] == [("LOCKED", "HS2")]
    assert len(await there(here)) == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"school": SCHOOL_B}, "batch.full_of.school"),
        ({"school": "moet:0"}, "batch.full_of.school"),
        ({"collection": "hoc_sinh"}, "batch.full_of.collection"),
        ({"school_year": 26}, "batch.full_of.school_year"),
        ({"version": 0}, "batch.full_of.version"),
        ({"batch_count": 2}, "batch.full_of.batch_count"),
    ],
)
async def test_a_declaration_that_cannot_be_is_refused_by_its_field(
    here: World, fields: dict[str, Any], field: str
) -> None:
    """By message and by document alike, and nothing is stored."""
    stub = await here.sync()
    with pytest.raises(Fault) as refused:
        await stub.PushRows(push("1", pupil("HS1"), full_of=full(**{"version": 5} | fields)))
    assert (refused.value.reason, refused.value.violations[0].field) == ("INVALID_FIELD", field)
    parts = list(document(ndjson([moet_pupil("HS1")])))
    parts[0].batch.full_of.CopyFrom(full(**{"version": 5} | fields))
    fault = await here.refused(parts, subject=CLERK if field.endswith("school") else VENDOR)
    assert (fault.reason, fault.violations[0].field) == ("INVALID_FIELD", field)
    assert await there(here) == {}


@pytest.mark.parametrize("seed", range(8))
async def test_in_any_order_the_state_of_the_highest_versions_remains(here: World, seed: int) -> None:
    """A source's history sent as partial batches and full ones in parts, shuffled, repeated, some never finished.

    What remains is, of each record, what its last row said, unless a full copy that was finished came after it and
    lacked it; the order in which all of it came does not matter.
    """
    chance, stub = random.Random(seed), await here.sync()
    alive: dict[str, int] = {}
    sent: list[sync_pb2.PushRowsRequest] = []
    told: dict[str, int] = {}
    finished: list[tuple[int, set[str]]] = []
    for clock in range(1, 13):
        key = f"HS{chance.randrange(6)}"
        if clock % 4:
            alive[key] = told[key] = clock
            sent.append(push(f"p{clock}", pupil(key, clock, full_name=f"Lê An {'ABCDEFGHIJKLM'[clock]}")))
            continue
        gone = chance.choice(sorted(alive))
        del alive[gone]
        rows = [pupil(one, at, full_name=f"Lê An {'ABCDEFGHIJKLM'[at]}") for one, at in alive.items()]
        parts = [
            push(f"f{clock}.{part}", *rows[part::2], full_of=full(clock, declaration_id=f"f{clock}", batch_count=2))
            for part in (0, 1)
        ]
        if chance.random() < 0.7:
            finished.append((clock, set(alive)))
        else:
            parts.pop()
        sent += parts
    sent += chance.choices(sent, k=6)
    chance.shuffle(sent)
    for one in sent:
        await stub.PushRows(one)
    expected = {key: at for key, at in told.items() if all(at > when or key in whole for when, whole in finished)}
    assert await there(here) == expected
