"""Documents over the transcoder's parts: NDJSON and JSON, in the ministry's names and our own."""

import gzip
import json

import pytest
from iocedu.sync.v1 import sync_pb2

from chassis.bus import Bus
from chassis.errors import Fault
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from services.sync.usecases import documents
from services.sync.usecases.settling import Ledger
from tests.integration.sync.world import (
    ACCEPTED,
    PROVINCE,
    REJECTED,
    SCHOOL_A,
    VENDOR,
    World,
    document,
    moet_pupil,
    ndjson,
    world,
)
from tests.support.databases import DatabaseFactory


async def test_a_pupil_in_the_ministrys_names_is_stored(here: World) -> None:
    """Names, dates and keys become ours; what the core has no place for is kept as it came."""
    rows = [moet_pupil("HS1"), moet_pupil("HS2", NGAY_SINH="2014-03-09", CHIEU_CAO=141.5)]
    answer = await (await here.sync()).PushDocument(document(ndjson(rows), batch_id="d1", part=37))
    assert list(answer.outcome.states) == [ACCEPTED, ACCEPTED]
    assert answer.batch_id == "d1"
    kept = (await here.record("HS2.2026")).row.pupil
    assert (kept.birth_date, kept.class_key, kept.level) == ("2014-03-09", "6A.2026", "03")
    assert dict(kept.further) == {"TEN_ME": "Trần Thị Lan", "CHIEU_CAO": "141.5"}


async def test_a_broken_line_is_one_refused_row(here: World) -> None:
    """The line is named; the lines around it are stored; blank lines are no rows."""
    content = ndjson([moet_pupil("HS1")]) + b'{"DOI_TUONG": "HOC_SI\n\n[1]\n' + ndjson([moet_pupil("HS2")]).rstrip()
    answer = await (await here.sync()).PushDocument(document(content))
    assert list(answer.outcome.states) == [ACCEPTED, REJECTED, REJECTED, ACCEPTED]
    first, second = answer.outcome.problems
    assert (first.reason, first.index) == ("INVALID_JSON", 1)
    assert "Dòng 2" in first.message
    assert (second.reason, second.index) == ("INVALID_JSON", 2)
    assert "Dòng 4" in second.message


async def test_an_unknown_field_names_the_nearest(here: World) -> None:
    """A typing error in a field's name is a named error with the name that was meant."""
    row = moet_pupil("HS1")
    row["HO_TENN"] = row.pop("HO_TEN")
    answer = await (await here.sync()).PushDocument(document(ndjson([row])))
    (problem,) = answer.outcome.problems
    assert (problem.reason, problem.field, problem.key) == ("UNKNOWN_FIELD", "HO_TENN", "HS1.2026")
    assert "“HO_TEN”" in problem.message


async def test_problems_speak_the_senders_names(here: World) -> None:
    """Field, text and remedy are in the ministry's names and forms; no name of ours is told."""
    rows = [
        moet_pupil("HS1", NGAY_SINH="31/02/2015"),
        moet_pupil("HS2", MA_KHOI="44"),
        moet_pupil("HS3", TRUONG_ID="000"),
        moet_pupil("HS4", PHIEN_BAN=0, MA_GIOI_TINH="x"),
        moet_pupil("HS5", NGAY_SINH="09/03/1890"),
        moet_pupil("HS6", TEN_ME="A\0"),
        moet_pupil("HS7"),
        moet_pupil("HS7"),
        moet_pupil("H" * 64),
    ]
    await (await here.sync()).PushDocument(document(ndjson([moet_pupil("HS8")]), source="smas"))
    rows += [moet_pupil("HS8")]
    answer = await (await here.sync()).PushDocument(document(ndjson(rows), batch_id="d"))
    assert [(problem.index, problem.reason, problem.field) for problem in answer.outcome.problems] == [
        (0, "INVALID_DATE", "NGAY_SINH"),
        (1, "INVALID_FIELD", "MA_KHOI"),
        (2, "UNKNOWN_SCHOOL", "TRUONG_ID"),
        (3, "INVALID_FIELD", "PHIEN_BAN"),
        (4, "INVALID_DATE", "NGAY_SINH"),
        (5, "INVALID_FIELD", "TEN_ME"),
        (7, "DUPLICATE_KEY", "HOC_SINH_ID"),
        (8, "INVALID_FIELD", "HOC_SINH_ID"),
        (9, "OTHER_SOURCE", "HOC_SINH_ID"),
    ]
    texts = [problem.message for problem in answer.outcome.problems]
    assert [text.partition(":")[0] for text in texts] == [f"Dòng {number}" for number in (1, 2, 3, 4, 5, 6, 8, 9, 10)]
    assert all("Hãy" in text for text in texts)
    assert "dd/mm/yyyy" in texts[0]
    assert "31/02/2015" not in texts[0], "a problem repeats no personal data"
    assert "“44”" in texts[1]
    assert "Ngoài ra còn sai: MA_GIOI_TINH" in texts[3]
    assert "dòng 7" in texts[6]
    assert "“smas”" in texts[8]
    for ours in ("pupil", "birth_date", "grade", "school", "key", "version", "moet:", "`"):
        assert not [text for text in texts if ours in text], ours


async def test_everything_that_is_wrong_with_a_row_is_named(here: World) -> None:
    """So that a row comes back once: what cannot be read, what breaks a rule, the school; each field once, and why."""
    rows = [
        moet_pupil("HS1", TRUONG_ID="000", MA_KHOI="44", MA_TRANG_THAI_HIEN_TAI="77"),
        moet_pupil("HS2", NGAY_SINH="31/02/2015", MA_GIOI_TINH="x"),
        moet_pupil("HS3", LOP="6A", KHOI_LOP="6", MA_DAN_TOC="99"),
        moet_pupil("HS4", NGAY_SINH="09/03/1890", TRUONG_ID="000"),
    ]
    answer = await (await here.sync()).PushDocument(document(ndjson(rows)))
    said = {one.key: one.message.partition("Ngoài ra còn sai: ") for one in answer.outcome.problems}
    assert [(one.key, one.field) for one in answer.outcome.problems] == [
        ("HS1.2026", "MA_KHOI"),
        ("HS2.2026", "NGAY_SINH"),
        ("HS3.2026", "LOP"),
        ("HS4.2026", "NGAY_SINH"),
    ]
    no_school = "Không có trường nào mang mã “000”. Hãy kiểm tra TRUONG_ID"
    others = [told[2] for told in said.values()]
    assert others[0].startswith("MA_TRANG_THAI_HIEN_TAI")
    assert "“77” không có trong danh mục. Hãy ghi một trong: 01 Đang học" in others[0]
    assert no_school in others[0]
    assert others[1].startswith("MA_GIOI_TINH")
    assert others[1].endswith("“x” không đúng dạng. Hãy ghi 0 chưa rõ, 1 nam hoặc 2 nữ.")
    assert others[2].startswith("Không có trường dữ liệu “KHOI_LOP”")
    assert "không có trong danh mục. Hãy ghi một trong: 01 Kinh" in others[2]
    assert others[3].startswith(no_school)


async def test_an_unknown_code_is_refused_with_those_that_can_be(here: World) -> None:
    """It would be missing from every figure; a leading zero that software dropped is put back; empty is not known."""
    rows = [
        moet_pupil("HS1", MA_TRANG_THAI_HIEN_TAI="1", MA_DAN_TOC="1"),
        moet_pupil("HS2", MA_TRANG_THAI_HIEN_TAI=5, MA_DAN_TOC=""),
        moet_pupil("HS3", MA_TRANG_THAI_HIEN_TAI="dang hoc"),
        moet_pupil("HS4", MA_TRANG_THAI_HIEN_TAI="13"),
        moet_pupil("HS5", MA_DAN_TOC="999"),
        moet_pupil("HS6", MA_DAN_TOC="56"),
    ]
    answer = await (await here.sync()).PushDocument(document(ndjson(rows), batch_id="d"))
    assert list(answer.outcome.states) == [ACCEPTED, ACCEPTED, *[REJECTED] * 4]
    stored = [(await here.record(key)).row.pupil for key in ("HS1.2026", "HS2.2026")]
    assert [(one.status, one.ethnic_group) for one in stored] == [("01", "01"), ("05", "")]
    assert [(one.reason, one.field) for one in answer.outcome.problems] == [
        ("INVALID_FIELD", "MA_TRANG_THAI_HIEN_TAI"),
        ("INVALID_FIELD", "MA_TRANG_THAI_HIEN_TAI"),
        ("INVALID_FIELD", "MA_DAN_TOC"),
        ("INVALID_FIELD", "MA_DAN_TOC"),
    ]
    status, _, group, _ = (problem.message for problem in answer.outcome.problems)
    assert "“•••” không có trong danh mục. Hãy ghi một trong: 01 Đang học, 02 Chuyển đến kỳ 1, " in status
    assert status.endswith("12 Thôi học trong hè.")
    assert group.endswith("54 Rơ-măm, 55 Người nước ngoài.")
    assert "999" not in group, "a problem repeats no personal data"


async def test_a_repeat_answers_in_the_language_of_who_asks(here: World) -> None:
    """Row problems, of the first answer, its repeat, the batch and the quarantine; each time all of them."""
    vietnamese, english = await here.sync(), await here.sync(language="en")
    content = ndjson([moet_pupil("HS1", MA_KHOI="44"), moet_pupil("HS2", MA_GIOI_TINH="x")]) + b"\n{"
    first = (await vietnamese.PushDocument(document(content, batch_id="d"))).outcome
    second = (await english.PushDocument(document(content, batch_id="d"))).outcome
    assert [problem.message.partition(" ")[0] for problem in first.problems] == ["Dòng"] * 3
    assert [problem.message.partition(" ")[0] for problem in second.problems] == ["Line"] * 3
    assert "MA_KHOI (grade) “44” has not the right form. Write a grade" in second.problems[0].message
    assert "Line 4: not valid JSON" in second.problems[2].message
    assert not any(problem.message_en for outcome in (first, second) for problem in outcome.problems)
    for stub, outcome in ((vietnamese, first), (english, second)):
        assert (await stub.PushDocument(document(content, batch_id="d"))).outcome == outcome
        assert (await stub.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="d"))).outcome == outcome
        kept = (await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=PROVINCE))).rows
        assert [row.problem for row in reversed(kept)] == list(outcome.problems)
    assert "ký tự" not in kept[0].content


async def test_rows_of_a_json_document_are_counted_in_its_list(here: World) -> None:
    """From 0 for programs, from 1 for people; what is no object has its place too."""
    rows = [moet_pupil("HS1"), 3, moet_pupil("HS2", MA_KHOI="44"), moet_pupil("HS1")]
    content = json.dumps({"rows": rows}).encode()
    answer = await (await here.sync()).PushDocument(document(content, content_type="application/json"))
    found = [(problem.index, problem.reason, problem.message.partition(":")[0]) for problem in answer.outcome.problems]
    assert found == [
        (1, "INVALID_JSON", "Bản ghi thứ 2"),
        (2, "INVALID_FIELD", "Bản ghi thứ 3"),
        (3, "DUPLICATE_KEY", "Bản ghi thứ 4"),
    ]
    assert "ở bản ghi thứ 1 " in answer.outcome.problems[2].message
    assert answer.outcome.problems[2].metadata["first_index"] == "0"


async def test_a_json_document_in_our_own_names(here: World) -> None:
    """`{"rows": [...]}` in lowerCamelCase, split anywhere."""
    row = {
        "school": SCHOOL_A,
        "key": "6A.2026",
        "version": "3",
        "schoolClass": {"schoolYear": 2026, "name": "6A", "grade": "06", "level": "03", "twoSession": True},
    }
    content = json.dumps({"rows": [row]}).encode()
    answer = await (await here.sync()).PushDocument(
        document(content, profile="", content_type="application/json; charset=UTF-8", part=11)
    )
    assert list(answer.outcome.states) == [ACCEPTED]
    assert (await here.record("6A.2026", collection="classes")).row.school_class.two_session


async def test_a_broken_json_document_is_refused_as_a_whole(here: World) -> None:
    """Nothing of it is applied: where it breaks, what follows cannot be told."""
    content = json.dumps({"rows": [moet_pupil("HS1")]}).encode()[:-2]
    refused = await here.refused(document(content, content_type="application/json"))
    assert refused.reason == "INVALID_JSON"
    assert "sau 1 bản ghi" in refused.vi
    assert await here.count("batch") == 0
    assert await here.count("pupil", of="records") == 0


async def test_without_a_batch_id_the_content_is_one(here: World) -> None:
    """The same content again is the same batch; another content another."""
    stub = await here.sync()
    first = await stub.PushDocument(document(ndjson([moet_pupil("HS1")]), part=50))
    again = await stub.PushDocument(document(ndjson([moet_pupil("HS1")]), part=4000))
    assert again == first
    assert first.batch_id.startswith("sha-")
    other = await stub.PushDocument(document(ndjson([moet_pupil("HS2")])))
    assert other.batch_id != first.batch_id
    assert await here.count("batch") == 2


async def test_a_repeated_document_answers_the_same_and_another_one_is_refused(here: World) -> None:
    """By batch id, like any batch."""
    stub = await here.sync()
    first = await stub.PushDocument(document(ndjson([moet_pupil("HS1")]), batch_id="d"))
    assert await stub.PushDocument(document(ndjson([moet_pupil("HS1")]), batch_id="d", part=9)) == first
    refused = await here.refused(document(ndjson([moet_pupil("HS2")]), batch_id="d"))
    assert refused.reason == "BATCH_ID_REUSED"


async def test_a_long_document_goes_in_slices(here: World) -> None:
    """12,000 lines: three calls to records, one batch, one answer, each row's state in its place."""
    rows = [moet_pupil(f"HS{number}") for number in range(12_000)]
    rows[7_123]["MA_KHOI"] = "x"
    content = ndjson(rows)
    stub = await here.sync()
    answer = await stub.PushDocument(document(content, unit=PROVINCE, batch_id="long", part=1 << 20), timeout=100)
    assert answer.outcome.accepted_count == 11_999
    assert answer.outcome.states[7_123] == REJECTED
    assert answer.outcome.problems[0].index == 7_123
    assert await here.count("pupil", of="records") == 11_999
    assert await here.count("batch") == 1
    shown = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=PROVINCE))
    assert json.loads(shown.rows[0].content)["HOC_SINH_ID"] == "HS7123"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"source": ""}, "INVALID_FIELD"),
        ({"source": "Vn Edu"}, "INVALID_FIELD"),
        ({"profile": "oneroster"}, "UNKNOWN_PROFILE"),
        ({"content_type": "text/html"}, "UNSUPPORTED_CONTENT_TYPE"),
        ({"content_type": "application/json; charset=cp1258"}, "UNSUPPORTED_CONTENT_TYPE"),
        ({"content_type": ""}, "UNSUPPORTED_CONTENT_TYPE"),
    ],
)
async def test_a_document_that_cannot_be_taken_is_refused_before_a_row_is_read(
    here: World, changed: dict[str, str], reason: str
) -> None:
    """With a stable reason, and nothing applied."""
    refused = await here.refused(document(ndjson([moet_pupil("HS1")]), **changed))  # type: ignore[arg-type]  # all are strings
    assert refused.reason == reason
    assert await here.count("pupil", of="records") == 0


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("part", [1, 1000])
async def test_a_compressed_document_is_refused_as_a_whole(here: World, content_type: str, part: int) -> None:
    """In one sentence that says what to do, and not as lines that are no JSON."""
    content = gzip.compress(ndjson([moet_pupil("HS1")]))
    refused = await here.refused(document(content, content_type=content_type, part=part))
    assert refused.reason == "UNSUPPORTED_CONTENT_TYPE"
    assert "Hãy gửi không nén" in refused.vi
    assert "uncompressed" in refused.en
    assert await here.count("quarantined_row") == 0


async def test_a_document_that_is_refused_as_good_as_whole_is_stopped(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong profile must not fill the quarantine; corrected, the same batch id takes the document."""
    monkeypatch.setattr(documents, "MOST_REFUSED", 10)
    stub = await here.sync()
    content = ndjson([moet_pupil(f"HS{number}") for number in range(12)])
    refused = await here.refused(document(content, batch_id="d", profile="iocedu"))
    assert (refused.reason, refused.metadata["reason"]) == ("TOO_MANY_REFUSED", "UNKNOWN_FIELD")
    assert "“DOI_TUONG”" in refused.vi, "an example says what is wrong"
    assert await here.count("quarantined_row") == 0
    assert (await stub.PushDocument(document(content, batch_id="d"))).outcome.accepted_count == 12


async def test_what_was_stored_of_a_stopped_document_is_counted(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused in its third slice: no batch, but the refused rows are kept and the school has connected, once."""
    monkeypatch.setattr(documents, "MOST_REFUSED", 3)
    monkeypatch.setattr(documents, "MOST_ROWS", 10)
    stub = await here.sync()
    rows = [moet_pupil(f"HS{number}") for number in range(40)]
    for number in (2, 12, 22, 23, 32):
        rows[number]["MA_KHOI"] = "x"
    for _ in range(2):
        refused = await here.refused(document(ndjson(rows), batch_id="d"))
        assert refused.reason == "TOO_MANY_REFUSED"
        with pytest.raises(Fault) as unknown:
            await stub.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="d"))
        assert unknown.value.reason == "UNKNOWN_BATCH"
        shown = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))
        assert [(row.batch_id, row.problem.index) for row in shown.rows] == [("d", place) for place in (23, 22, 12, 2)]
        (one,) = (await stub.ListConnections(sync_pb2.ListConnectionsRequest(unit=SCHOOL_A))).connections
        assert (one.accepted_count, one.rejected_count) == (26, 4)
        assert one.HasField("last_accept_time")
    assert await here.count("pupil", of="records") == 26
    corrected = [moet_pupil(f"HS{number}") for number in range(40)]
    answer = await stub.PushDocument(document(ndjson(corrected), batch_id="d"))
    assert (answer.outcome.accepted_count, answer.outcome.unchanged_count) == (14, 26)


async def test_a_stopped_document_without_a_batch_id_is_counted_once_too(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content tells it, as far as it was read."""
    monkeypatch.setattr(documents, "MOST_REFUSED", 3)
    monkeypatch.setattr(documents, "MOST_ROWS", 10)
    rows = [moet_pupil(f"HS{number}", **({"MA_KHOI": "x"} if number % 5 == 0 else {})) for number in range(40)]
    for part in (1000, 333):
        refused = await here.refused(document(ndjson(rows), part=part))
        assert refused.reason == "TOO_MANY_REFUSED"
    assert await here.count("quarantined_row") == 4


async def test_a_document_over_the_limit_is_refused(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer, clock: FixedClock
) -> None:
    """The service counts itself: the edge cannot, for a stream."""
    assert bus.client.is_connected
    databases = (await database_factory("records"), await database_factory("sync"))
    async with world(databases, nats_url, keys, clock, document_limit_mb=1) as here:
        refused = await here.refused(document(b"\n" * 1_000_001, part=500_000))
        assert refused.reason == "TOO_LARGE"
        assert refused.metadata["limit"] == "1000000"


async def test_what_was_stored_of_a_document_that_grew_too_large_is_counted(
    database_factory: DatabaseFactory,
    bus: Bus,
    nats_url: str,
    keys: Issuer,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit is met after three slices: their refused rows are kept and the school has connected; no batch is."""
    assert bus.client.is_connected
    monkeypatch.setattr(documents, "MOST_ROWS", 10)
    databases = (await database_factory("records"), await database_factory("sync"))
    async with world(databases, nats_url, keys, clock, document_limit_mb=1) as here:
        stub = await here.sync(VENDOR)
        rows = [moet_pupil(f"HS{number}", **({"MA_KHOI": "x"} if number == 12 else {})) for number in range(31)]
        refused = await here.refused(document(ndjson(rows) + b"\n" * 1_000_001, batch_id="d", part=100_000))
        assert refused.reason == "TOO_LARGE"
        with pytest.raises(Fault) as unknown:
            await stub.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="d"))
        assert unknown.value.reason == "UNKNOWN_BATCH"
        (one,) = (await stub.ListConnections(sync_pb2.ListConnectionsRequest(unit=SCHOOL_A))).connections
        assert (one.accepted_count, one.rejected_count) == (29, 1)
        assert (await here.count("quarantined_row"), await here.count("pupil", of="records")) == (1, 29)


async def test_a_document_cut_between_its_slices_is_repeated_without_harm(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Died after records had all slices but before the own commit: the repeat has the same request ids and answers."""
    rows = [moet_pupil(f"HS{number}") for number in range(5_100)]
    rows[5_050]["MA_KHOI"] = "x"
    stub = await here.sync(language="en")

    async def die(*_args: object, **_kwargs: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "settle", die)
        with pytest.raises(Fault):
            await stub.PushDocument(document(ndjson(rows), batch_id="d", part=1 << 20), timeout=60)
    assert await here.count("pupil", of="records") == 5_099
    assert await here.count("batch") == 0
    answer = await stub.PushDocument(document(ndjson(rows), batch_id="d", part=1 << 18), timeout=60)
    assert (answer.outcome.accepted_count, answer.outcome.rejected_count) == (5_099, 1)
    assert await here.count("pupil", of="records") == 5_099
    assert await here.count("quarantined_row") == 1


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
async def test_texts_no_database_holds_are_refused_row_by_row(here: World, content_type: str) -> None:
    """NUL and half a surrogate pair, in a core field, beyond it, in a key or a name: neighbours are stored."""
    hostile = ["\0", "\ud800"]
    rows = [moet_pupil("HS1")]
    for sign in hostile:
        rows += [
            moet_pupil("HSA", HO_TEN=f"A{sign}"),
            moet_pupil("HSB", TEN_ME=f"B{sign}"),
            moet_pupil(f"HSC{sign}"),
            moet_pupil("HSD") | {f"TEN{sign}": "x"},
            moet_pupil("HSE", TRUONG_ID=f"1{sign}"),
            moet_pupil("HSF", DOI_TUONG=f"X{sign}"),
        ]
    lines = [json.dumps(row) for row in [*rows, moet_pupil("HS2")]]
    whole = json.dumps({"rows": [json.loads(line) for line in lines]})
    content = whole if content_type == "application/json" else "\n".join(lines)
    answer = await (await here.sync()).PushDocument(document(content.encode(), content_type=content_type))
    assert list(answer.outcome.states) == [ACCEPTED, *[REJECTED] * 12, ACCEPTED]
    assert all(problem.message for problem in answer.outcome.problems)
    assert await here.count("quarantined_row") == 12
    shown = await (await here.sync()).ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))
    assert len(shown.rows) >= 1
