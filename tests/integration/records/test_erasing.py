"""Granted erasures and objections are carried out: erased where no law keeps it, else restricted, and never half."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from iocedu.records.v1 import (
    data_requests_pb2,
    erasures_pb2,
    export_pb2,
    history_pb2,
    persons_pb2,
    records_pb2,
    resources_pb2,
    search_pb2,
    transfers_pb2,
)
from structlog.testing import capture_logs

from chassis.bus import Bus, Publication, cloud_headers, subject_of
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from services.records.convert.incoming import read_batch
from services.records.convert.rules import load_erasure_rules
from services.records.domain.edits import etag_of
from services.records.domain.persons import PUPIL
from services.records.store import erasing, erasures, persons
from services.records.store.disclosures import disclose
from services.records.store.driver import begin
from services.records.store.lookup import records_by_key
from services.records.usecases import apply
from services.records.usecases.erasing import TRY_AGAIN, carry_out_next
from tests.integration.records.asking import (
    CHILD,
    ERASED,
    ERASURE,
    OBJECTION,
    PRESENT,
    RESTRICTED,
    ask,
    done,
    everything,
    linked,
    register,
    remains,
    result,
    stands,
)
from tests.integration.records.scenes import PROVINCE, SCHOOL_A, SCHOOL_B, Running, pupil, reason
from tests.support.waiting import poll_until

RELEASING, RECEIVING = transfers_pb2.TRANSFER_SIDE_RELEASING, transfers_pb2.TRANSFER_SIDE_RECEIVING
RELEASE, PLACE = transfers_pb2.TRANSFER_ACTION_RELEASE, transfers_pb2.TRANSFER_ACTION_PLACE


async def handed_over(records: Running, key: str) -> tuple[Any, int]:
    """A transfer of a pupil that school A opens, with words that name the pupil."""
    stub = await records.transfers()
    opening = transfers_pb2.OpenTransferRequest(
        school=SCHOOL_A, other_school=SCHOOL_B, side=RELEASING, pupil_key=key, request_id=key, note="Bùi Thị Út theo mẹ"
    )
    return stub, (await stub.OpenTransfer(opening)).transfer.transfer_id


async def listed(stub: Any) -> list[str]:
    """The pupils whose transfers are listed."""
    found = await stub.ListTransfers(transfers_pb2.ListTransfersRequest(unit=PROVINCE))
    return [one.pupil_key for one in found.transfers]


async def test_a_transfer_ends_with_an_erasure_and_keeps_no_words(records: Running) -> None:
    """Also of a pupil whom the law keeps: nobody is waited for, nothing is listed, and what is left is named."""
    await records.apply(pupil("M1", **CHILD), pupil("HS2"))
    await linked(records)
    for key in ("M1", "HS2"):
        stub, number = await handed_over(records, key)
        answer = await done(records, await ask(records, ERASURE, key))

        assert stands(answer)["transfers", ""] == (RESTRICTED, RESTRICTED)
        kept = await records.rows(f"SELECT state, due_date FROM transfer WHERE pupil_key = '{key}'")
        assert kept == [("withdrawn", None)]
        with pytest.raises(Fault) as error:
            await stub.GetTransfer(transfers_pb2.GetTransferRequest(school=SCHOOL_B, transfer_id=number))
        assert reason(error) == "UNKNOWN_TRANSFER"
        with pytest.raises(Fault) as error:
            await handed_over(records, key)
        assert reason(error) == "UNKNOWN_RECORD"
    assert "Bùi" not in str(await records.rows("SELECT note FROM transfer_step"))
    assert await listed(stub) == []


async def test_a_transfer_that_runs_or_has_words_is_said_to_be_left(records: Running) -> None:
    """Until the request was carried out it is not as it is to become."""
    await records.apply(pupil("M1", **CHILD))
    await linked(records)
    await handed_over(records, "M1")
    filed = await (await records.data_requests()).FileDataRequest(
        data_requests_pb2.FileDataRequestRequest(
            school=SCHOOL_A, request_id="r", kind=ERASURE, collection="pupils", key="M1", filed_by="Mẹ", wish="Xóa"
        )
    )

    answer = await remains(records, filed.data_request.data_request_id)

    assert stands(answer)["transfers", ""] == (PRESENT, RESTRICTED)


async def test_a_transfer_of_whom_an_objection_restricts_ends_and_is_shown_again_after_it(records: Running) -> None:
    """Its words stay; the receiving school neither lists it nor opens another; lifted, it is there as it ended."""
    await records.apply(pupil("HS1"))
    await linked(records)
    stub, number = await handed_over(records, "HS1")
    request = await ask(records, OBJECTION, "HS1")
    answer = await done(records, request)

    assert stands(answer)["transfers", ""] == (RESTRICTED, RESTRICTED)
    assert await listed(stub) == []
    lifting = erasures_pb2.LiftRestrictionRequest(school=SCHOOL_A, data_request_id=request, reason="Rút yêu cầu")
    await (await records.erasures()).LiftRestriction(lifting)
    shown = await stub.GetTransfer(transfers_pb2.GetTransferRequest(school=SCHOOL_B, transfer_id=number))
    assert [step.note for step in shown.transfer.steps] == ["Bùi Thị Út theo mẹ", ""]
    assert [step.step_by for step in shown.transfer.steps] == ["admin@so", "records"]
    assert shown.transfer.state == transfers_pb2.TRANSFER_STATE_WITHDRAWN


async def test_what_no_law_keeps_is_erased_everywhere(records: Running) -> None:
    """Record, history, results, exceptions and the person behind: nothing is left but the key, and it stays so."""
    await records.apply(pupil("M1", **CHILD), pupil("HS2"), result("M1.CK1", "M1"), register("M1", "HS2"))
    await records.apply(pupil("M1", 2, **CHILD | {"full_name": "Bùi Thị Út Nhỏ"}), register("M1", version=2))
    await linked(records)

    number = await ask(records, ERASURE, "M1")
    answer = await done(records, number)

    assert stands(answer)["pupils", "M1"] == stands(answer)["results", "M1.CK1"] == (ERASED, ERASED)
    assert stands(answer)["attendance_exceptions", ""] == (ERASED, ERASED)
    held = await everything(records)
    for said in ("Bùi", "bui thi ut", "2021-05-04", '"pupil_key": "M1"'):
        assert said not in held
    assert await records.rows("SELECT count(*) FROM person_record WHERE key = 'M1'") == [(0,)]
    tombstones = [one for one in await records.changes() if one.row.key in ("M1", "M1.CK1")]
    assert [one.row.deleted for one in tombstones] == [True, True]


async def test_what_was_erased_does_not_come_back(records: Running) -> None:
    """Neither under its key nor a new one, nor by what names it; registers are taken without the pupil."""
    await records.apply(pupil("M1", **CHILD), register("M1"))
    await linked(records)
    await done(records, await ask(records, ERASURE, "M1"))

    again = pupil("M2", 9, **CHILD)
    again.previous_key = "M1"
    answer = await records.apply(
        pupil("M1", 9, **CHILD), result("M1.GK2", "M1"), register("M1", "HS3", version=9), pupil("HS3")
    )
    moved = await records.apply(again)
    between, last = pupil("M3", 9, **CHILD), pupil("M4", 10, **CHILD)
    between.previous_key, last.previous_key = "M1", "M3"
    twice = await records.apply(between, last)

    problems = (*answer.problems, *moved.problems, *twice.problems)
    assert [one.reason for one in problems] == ["RECORD_ERASED"] * 5
    assert [one.field for one in answer.problems] == ["key", "result.pupil_key"]
    assert list(answer.states) == [4, 4, 1, 1]
    held = await everything(records)
    assert "Bùi" not in held
    assert '"pupil_key": "M1"' not in held
    await records.settled()
    (told,) = [one.row for one in await records.changes() if one.row.HasField("attendance_register")]
    assert [one.pupil_key for one in told.attendance_register.exceptions] == ["HS3"]


async def test_what_the_law_keeps_is_restricted_and_counted(records: Running) -> None:
    """Nobody sees it but whom the law names; the services go on counting; partners are told that it is gone."""
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    await records.grant("auditor@p", "auditor", PROVINCE)
    await records.grant("partner@p", "provincial_ioc", PROVINCE)
    await records.apply(
        pupil("HS1", disability="01", policy_group="02", further={"DIA_CHI": "12 Lê Lợi"}),
        pupil("HS2", full_name="Nguyễn Văn Hòa", birth_date="2013-01-01"),
        result("HS1.CK1", "HS1"),
        register("HS1"),
    )
    await linked(records)
    before = len(await records.changes())

    answer = await done(records, await ask(records, ERASURE, "HS1"))

    assert stands(answer)["pupils", "HS1"] == stands(answer)["results", "HS1.CK1"] == (RESTRICTED, RESTRICTED)
    (kept,) = [one for one in answer.remains if one.place == "pupils"]
    assert list(kept.dropped_fields) == ["disability", "policy_group", "further", "attendance"]
    assert "88/2026" in kept.source
    held = await everything(records)
    assert "Lê Lợi" not in held
    assert '"pupil_key": "HS1"' not in held
    head, auditor = await records.records("head@a"), await records.records("auditor@p")
    wanted = records_pb2.GetRecordRequest(collection="pupils", school=SCHOOL_A, key="HS1", purpose="xem")
    with pytest.raises(Fault) as refused:
        await head.GetRecord(wanted)
    assert (refused.value.kind, reason(refused)) == (Kind.DENIED, "RECORD_RESTRICTED")
    seen = (await auditor.GetRecord(wanted)).record.row.pupil
    assert (seen.full_name, seen.disability, dict(seen.further)) == ("Nguyễn Văn Hòa", "", {})
    listed = await auditor.ListRecords(records_pb2.ListRecordsRequest(collection="pupils", unit=SCHOOL_A))
    assert [one.row.key for one in listed.records] == ["HS2"]
    search = await records.search("head@a")
    hits = await search.SearchPeople(
        search_pb2.SearchPeopleRequest(collection="pupils", unit=SCHOOL_A, query="nguyen van hoa")
    )
    assert [one.record.row.key for one in hits.hits] == ["HS2"]
    with pytest.raises(Fault) as refused:
        await (await records.history("head@a")).ListRecordChanges(
            history_pb2.ListRecordChangesRequest(collection="pupils", school=SCHOOL_A, key="HS1")
        )
    assert reason(refused) == "RECORD_RESTRICTED"
    with pytest.raises(Fault) as refused:
        await (await records.persons("head@a")).GetPerson(
            persons_pb2.GetPersonRequest(collection="pupils", school=SCHOOL_A, key="HS1")
        )
    assert reason(refused) == "RECORD_RESTRICTED"
    exported = [
        one.item.row.key
        async for one in (await records.export("partner@p")).ExportRecords(
            export_pb2.ExportRecordsRequest(unit=SCHOOL_A, types=[resources_pb2.OBJECT_TYPE_PUPIL])
        )
        if one.HasField("item")
    ]
    assert exported == ["HS2"]
    changes = await records.changes()
    assert len(changes) == before
    (counted,) = [one for one in changes if one.row.key == "HS1"]
    assert (counted.restricted, counted.row.deleted, counted.row.pupil.status) == (True, False, "01")
    partner = await (await records.records("partner@p")).ListChanges(
        records_pb2.ListChangesRequest(unit=SCHOOL_A, types=[resources_pb2.OBJECT_TYPE_PUPIL])
    )
    assert {one.row.key: one.row.deleted for one in partner.changes} == {"HS1": True, "HS2": False}


async def test_what_comes_later_of_the_restricted_is_restricted_too(records: Running) -> None:
    """A new version keeps what was dropped away; a result, and the record under a new key, follow."""
    await records.apply(pupil("HS1", disability="01"))
    await linked(records)
    await done(records, await ask(records, ERASURE, "HS1"))

    await records.apply(pupil("HS1", 2, disability="01", class_key="6B"), result("HS1.CK1", "HS1"))
    renamed = pupil("HS9", 3, class_key="6C")
    renamed.previous_key = "HS1"
    await records.apply(renamed)
    await records.settled()

    told = {one.row.key: one for one in await records.changes()}
    assert [told[key].restricted for key in ("HS9", "HS1.CK1")] == [True, True]
    assert await records.rows("SELECT class_key, disability FROM pupil WHERE key = 'HS9'") == [("6C", "")]
    assert "01" not in [row[0] for row in await records.rows("SELECT image->>'disability' FROM record_history")]


async def test_an_objection_restricts_all_and_can_be_lifted(records: Running) -> None:
    """Nothing is erased; lifted, all is seen again and partners are told."""
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    await records.apply(pupil("M1", **CHILD), register("M1"))
    await linked(records)
    number = await ask(records, OBJECTION, "M1")
    answer = await done(records, number)
    assert stands(answer)["pupils", "M1"] == (RESTRICTED, RESTRICTED)
    assert "Bùi Thị Út" in await everything(records)

    stub = await records.erasures()
    wanted = erasures_pb2.LiftRestrictionRequest(school=SCHOOL_A, data_request_id=number, reason="Rút yêu cầu")
    assert (await stub.LiftRestriction(wanted)).lifted_count == 1
    assert (await stub.LiftRestriction(wanted)).lifted_count == 0

    await records.settled()
    (told,) = [one for one in await records.changes() if one.row.key == "M1"]
    assert not told.restricted
    listed = await (await records.records("head@a")).ListRecords(
        records_pb2.ListRecordsRequest(collection="pupils", unit=SCHOOL_A)
    )
    assert [one.row.key for one in listed.records] == ["M1"]


async def test_a_request_reaches_all_years_of_the_person_at_that_school_alone(records: Running) -> None:
    """Former keys and other years too, by what each is; another school's record is another request's."""
    person = {**CHILD, "personal_id": "048321001234"}
    await records.apply(
        pupil("M1.2025", school_year=2025, **person),
        pupil("M1.2026", **person),
        pupil("X1", school=SCHOOL_B, **person),
        pupil("T1.2024", school_year=2024, **person),
        result("old", "T1.2024"),
    )
    await linked(records)  # Under its first key too, so that a link is left of that.
    renamed = pupil("K1.2024", 2, school_year=2024, **person)
    renamed.previous_key = "T1.2024"
    await records.apply(renamed)
    await linked(records)

    async with records.database.transaction() as connection:
        await connection.exec_driver_sql("DELETE FROM record_history WHERE key = 'T1.2024'")

    number = await ask(records, ERASURE, "M1.2026")
    before = stands(await remains(records, number))
    answer = await done(records, number)

    mine = {("pupils", key) for key in ("M1.2025", "M1.2026", "K1.2024")}
    assert stands(answer)["results", "old"] == (ERASED, ERASED)
    assert {key for key in stands(answer) if key[0] == "pupils"} == mine
    assert {stands(answer)[key] for key in mine} == {(ERASED, ERASED)}
    assert {one[1] for key, one in before.items() if key[0] == "pupils"} == {ERASED}
    assert await records.rows("SELECT school_id <> 0, key FROM person_record") == [(True, "X1")]
    assert await records.rows("SELECT count(*) FROM counted_elsewhere") == [(0,)]
    assert await records.rows("SELECT full_name FROM pupil WHERE NOT deleted") == [("Bùi Thị Út",)]


async def test_a_key_that_was_given_to_somebody_else_stays(records: Running) -> None:
    """Who was renamed left the key; the child who bears it now is another."""
    await records.apply(pupil("A", **CHILD))
    moved = pupil("B", 2, **CHILD)
    moved.previous_key = "A"
    await records.apply(moved)
    await records.apply(pupil("A", 3, full_name="Trần Văn Khác", birth_date="2014-02-02"))
    await linked(records)

    await done(records, await ask(records, ERASURE, "B"))

    assert await records.rows("SELECT key, full_name FROM pupil WHERE NOT deleted") == [("A", "Trần Văn Khác")]


async def test_a_deed_that_breaks_off_has_done_nothing_and_is_done_anew(
    records: Running, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one transaction: at whatever step it fails, all is as before; many at once do it once."""
    await records.apply(pupil("M1", **CHILD), result("M1.CK1", "M1"), register("M1"))
    await linked(records)
    before = await everything(records)
    steps: Sequence[tuple[Any, str]] = (
        (erasing, "note_erased"),
        (persons, "suspect"),
        (erasing, "drop_exceptions_from_states"),
        (erasures, "note_deed"),
    )
    with monkeypatch.context() as broken:

        async def fail(*_: Any, **__: Any) -> None:
            raise ConnectionResetError("cut")

        for place, step in steps:
            broken.setattr(place, step, fail)
        number = await ask(records, ERASURE, "M1")
        for number_of_step in range(len(steps)):
            await carry_out_next(records.database, clock, load_erasure_rules())
            await put_off(records, number, clock)
            assert await everything(records) == before
            broken.undo()
            for place, step in steps[number_of_step + 1 :]:
                broken.setattr(place, step, fail)
            clock.advance(TRY_AGAIN)

    await asyncio.gather(*(carry_out_next(records.database, clock, load_erasure_rules()) for _ in range(3)))

    assert stands(await done(records, number))["pupils", "M1"] == (ERASED, ERASED)
    assert await records.rows("SELECT count(*) FROM erasure") == [(1,)]
    assert "Bùi" not in await everything(records)


async def test_a_transfer_is_hidden_by_what_is_withheld_at_either_school(records: Running) -> None:
    """Here the receiving one restricts: the other does not see any more where the pupil went."""
    await records.apply(pupil("HS1", school=SCHOOL_B), pupil("HS9"))
    stub = await records.transfers()
    opening = transfers_pb2.OpenTransferRequest(
        school=SCHOOL_A, other_school=SCHOOL_B, side=RECEIVING, pupil_key="HS1", request_id="1", note="theo mẹ"
    )
    number = (await stub.OpenTransfer(opening)).transfer.transfer_id
    step = transfers_pb2.StepTransferRequest(school=SCHOOL_B, transfer_id=number, action=RELEASE)
    await stub.StepTransfer(step)
    step = transfers_pb2.StepTransferRequest(school=SCHOOL_A, transfer_id=number, action=PLACE, receiving_key="HS9")
    await stub.StepTransfer(step)
    assert await listed(stub) == ["HS1"]

    await done(records, await ask(records, OBJECTION, "HS9"))

    assert await listed(stub) == []
    with pytest.raises(Fault) as error:
        await stub.GetTransfer(transfers_pb2.GetTransferRequest(school=SCHOOL_B, transfer_id=number))
    assert reason(error) == "UNKNOWN_TRANSFER"


async def test_who_corrected_an_erased_record_and_who_may_know_of_it_is_forgotten(records: Running) -> None:
    """Of that record alone: what is noted of others stays."""
    await records.apply(pupil("M1", **CHILD), pupil("HS2"))
    await linked(records)
    now = datetime(2026, 11, 2, tzinfo=UTC)
    here, there = cast("tuple[int, int]", (await records.rows("SELECT min(school_id), 0 FROM pupil"))[0])
    for row in (pupil("M1", **CHILD | {"full_name": "Bùi Thị Ú"}), pupil("HS2", full_name="Lê An")):
        async with records.database.transaction() as connection:
            await begin(connection)
            await disclose(connection, (here, PUPIL.number, row.key), there, reason="Chuyển trường", by="x", now=now)
            held = await records_by_key(connection, PUPIL, [(here, row.key)], withheld=True)
            edit = records_pb2.Edit(etag=etag_of(held[here, row.key]), reason=f"sửa {row.key}", digest=b"1")
            request = records_pb2.ApplyRowsRequest(request_id=row.key, source="vnedu", rows=[row], edit=edit)
            batch = await read_batch(request, school=lambda _: here, caller="van-thu")
            await apply.apply_rows(connection, [batch], now=now)
    assert await records.rows("SELECT count(*) FROM record_edit") == [(2,)]

    await done(records, await ask(records, ERASURE, "M1"))

    assert await records.rows("SELECT key FROM person_disclosure") == [("HS2",)]
    assert await records.rows("SELECT reason FROM record_edit") == [("sửa HS2",)]


async def put_off(records: Running, number: int, clock: FixedClock) -> None:
    """Wait until a request was tried now, by whomever, and failed."""

    async def failed() -> bool:
        asked = f"SELECT try_after FROM data_request WHERE data_request_id = {number}"
        return await records.rows(asked) == [(clock.now() + TRY_AGAIN,)]

    await poll_until(failed)


async def test_a_request_that_fails_holds_up_no_other_and_is_named(
    records: Running, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was asked later is erased meanwhile; the log says which one fails, and it is done once it can be."""
    await records.apply(pupil("M1", **CHILD), pupil("M2", **CHILD | {"full_name": "Lê Văn Tư"}))
    await linked(records)
    note = erasing.note_erased

    async def fail_for_m1(connection: Any, spec: Any, keys: Any, **named: Any) -> None:
        if any(key == "M1" for key, _ in keys):
            raise ValueError("bad")
        await note(connection, spec, keys, **named)

    with monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr(erasing, "note_erased", fail_for_m1)
        first, second = [await ask(records, ERASURE, key) for key in ("M1", "M2")]
        assert stands(await done(records, second))["pupils", "M2"] == (ERASED, ERASED)
        assert stands(await remains(records, first))["pupils", "M1"] == (PRESENT, ERASED)
        await put_off(records, first, clock)
    (told, *_) = [one for one in logs if one.get("action") == "erasures.failed"]
    assert told["data_request_id"] == first

    clock.advance(TRY_AGAIN)
    assert stands(await done(records, first))["pupils", "M1"] == (ERASED, ERASED)


async def test_it_is_done_when_every_service_says_so(records: Running, bus: Bus, clock: FixedClock) -> None:
    """Nobody says so by hand before; until then it is told who is waited for."""
    await records.apply(pupil("M1", **CHILD))
    await linked(records)
    number = await ask(records, ERASURE, "M1")
    await done(records, number)
    requests = await records.data_requests()
    by_hand = data_requests_pb2.CompleteDataRequestRequest(school=SCHOOL_A, data_request_id=number, note="Xong")
    with pytest.raises(Fault) as refused:
        await requests.CompleteDataRequest(by_hand)
    assert reason(refused) == "ERASURE_UNFINISHED"
    assert refused.value.metadata["waits_for"] == "alerts, notify, reporting, sync"
    ((school_id,),) = await records.rows("SELECT school_id FROM erasure")

    for service in ("sync", "reporting", "alerts", "notify"):
        assert not (await remains(records, number)).complete
        event = erasures_pb2.ErasuresConfirmed(
            school_id=school_id,  # type: ignore[arg-type]  # the column is a number
            data_request_id=number,
            service=service,
            erased_count=2,
        )
        headers = cloud_headers(event_id=service, service=service, event="erasures-confirmed", time=clock.now())
        subject = subject_of(service, "erasures-confirmed")
        await bus.publish([Publication(subject, event.SerializeToString(), headers, service)])

        async def confirmed(service: str = service) -> bool:
            answer = await remains(records, number)
            return any(one.service == service and one.HasField("confirm_time") for one in answer.confirmations)

        await poll_until(confirmed)

    answer = await remains(records, number)
    assert answer.complete
    assert [one.erased_count for one in answer.confirmations] == [2, 2, 2, 2]
    (kept,) = (await requests.ListDataRequests(data_requests_pb2.ListDataRequestsRequest(unit=SCHOOL_A))).data_requests
    assert (kept.state, kept.completed_by) == (data_requests_pb2.DATA_REQUEST_STATE_DONE, "records")


async def test_requests_are_about_somebody_who_is_there(records: Running) -> None:
    """A request names a record that is; an erasure one that is somebody's own; a correction erases nothing."""
    await records.apply(pupil("HS1"), register("HS1"))

    for kind, collection, key, said in (
        (ERASURE, "pupils", "HS7", "UNKNOWN_RECORD"),
        (ERASURE, "attendance", "6A.2026-10-05.1", "INVALID_FIELD"),
    ):
        with pytest.raises(Fault) as refused:
            await ask(records, kind, key, collection=collection)
        assert reason(refused) == said
    number = await ask(records, data_requests_pb2.DATA_REQUEST_KIND_CORRECTION, "HS1")
    with pytest.raises(Fault) as refused:
        await remains(records, number)
    assert reason(refused) == "NOT_AN_ERASURE"


async def test_what_is_being_stored_is_erased_when_it_is_there(
    records: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure waits for a push that is under way at the school, and erases what that brought of the pupil."""
    await records.apply(pupil("M1", **CHILD))
    await linked(records)
    stored, commits, tell = asyncio.Event(), asyncio.Event(), apply._tell

    async def slowly(*values: Any, **named: Any) -> None:
        await tell(*values, **named)
        stored.set()
        await commits.wait()

    async def waits() -> bool:
        waiting = await records.rows(
            "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database AND datname = current_database()"
            " WHERE locktype = 'advisory' AND NOT granted"
        )
        return bool(waiting)

    monkeypatch.setattr(apply, "_tell", slowly)
    pushed = asyncio.create_task(records.apply(result("M1.CK1", "M1")))
    await stored.wait()
    number = await ask(records, ERASURE, "M1")
    try:
        await poll_until(waits)
    finally:
        commits.set()
    assert list((await pushed).states) == [1]
    answer = await done(records, number)

    assert stands(answer)["results", "M1.CK1"] == (ERASED, ERASED)
    assert await records.rows("SELECT deleted FROM result") == [(True,)]
