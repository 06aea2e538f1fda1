"""A held row: its sender learns what is locked, by whom, since when, why, and what to do."""

import pytest

from services.records.domain.objects import BY_COLLECTION
from services.sync.domain.locked import collection
from services.sync.domain.problems import own
from services.sync.domain.retelling import Told, retell
from services.sync.domain.words import NO_WORDS, Text

FACTS = {
    "collection": "results",
    "school_year": "2026",
    "period": "CK1",
    "locked_by": "giamdoc@so",
    "lock_time": "2027-01-20T02:05:00Z",
    "reason": "Đã duyệt báo cáo\nhọc kỳ 1",
}
OWN_WORDS = Text("lời của records", "records' words")


@pytest.mark.parametrize("name", sorted(BY_COLLECTION))
def test_every_collection_that_records_knows_has_words(name: str) -> None:
    """In both languages: its name in the interface is told to nobody."""
    words = collection(name)
    assert words.vi != name
    assert words.en not in (name, words.vi)


def said(facts: dict[str, str]) -> Text:
    """How a held row with this metadata is told."""
    told = Told(0, "LOCKED", "", OWN_WORDS, 0, facts)
    problem = retell(told, school="moet:1", key="KQ1", called=own, twin=NO_WORDS)
    assert (problem.reason, problem.field, problem.metadata) == ("LOCKED", "", facts)
    return problem.text


def test_a_collection_that_was_handed_over_names_its_owner_and_since_when():
    """No field of the row is wrong; what to do is said in both languages, and what cannot be read is left as told."""
    facts = {"source": "smas", "collection": "pupils", "since": "2026-11-20T17:30:00Z"}
    told = Told(0, "OTHER_SOURCE", "key", OWN_WORDS, 3, facts)
    problem = retell(told, school="moet:1", key="HS1", called=own, twin=NO_WORDS)

    assert (problem.reason, problem.field, problem.stored_version) == ("OTHER_SOURCE", "", 3)
    assert problem.text.vi == (
        "Học sinh của trường đã được bàn giao cho nguồn “smas” từ 00:30 ngày 21/11/2026. Hãy ngừng gửi từ phần mềm "
        "này, hoặc đề nghị hiệu trưởng hay Sở bàn giao lại."
    )
    assert "“smas” on 21/11/2026 at 00:30" in problem.text.en
    unread = Told(0, "OTHER_SOURCE", "key", OWN_WORDS, 3, facts | {"since": "yesterday"})
    assert retell(unread, school="moet:1", key="HS1", called=own, twin=NO_WORDS).text == OWN_WORDS


def test_both_languages_say_all_of_it():
    """In the time that clocks in Viet Nam show; nothing breaks the line."""
    text = said(FACTS)

    assert text.vi == (
        "Kết quả học tập năm học 2026-2027, giai đoạn CK1 đã bị khóa từ 09:05 ngày 20/01/2027 bởi “giamdoc@so”, lý do: "
        "“Đã duyệt báo cáo·học kỳ 1”. Bản ghi “KQ1” chưa được ghi nhận, đang được giữ lại. Hãy đề nghị đơn vị đã "
        "khóa mở khóa: khi đó bản ghi tự được ghi nhận."
    )
    assert text.en == (
        "Results of 2026-2027, stage CK1 were locked on 20/01/2027 at 09:05 (Viet Nam) by “giamdoc@so”, because: “Đã "
        "duyệt báo cáo·học kỳ 1”. The record “KQ1” is not stored, it is kept aside. Ask the unit that set the "
        "lock to lift it: then it is stored by itself."
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"period": ""}, "năm học 2026-2027 đã bị khóa"),
        ({"collection": "attendance", "period": "2026-11"}, "Điểm danh năm học 2026-2027, tháng 11/2026"),
        ({"lock_service": "reporting"}, "“giamdoc@so” (qua reporting)"),
        ({"collection": "later"}, "later năm học"),
        ({"reason": "x" * 200}, f"“{'x' * 200}”"),
    ],
)
def test_what_is_locked_is_named(more: dict[str, str], words: str):
    """A year, a stage or a month; through which service; a reason of any length that is taken."""
    assert words in said(FACTS | more).vi


@pytest.mark.parametrize("broken", [{"lock_time": "yesterday"}, {"school_year": ""}])
def test_what_cannot_be_read_keeps_the_words_of_records(broken: dict[str, str]):
    """As of another version of records."""
    assert said(FACTS | broken) == OWN_WORDS
    assert said({key: value for key, value in FACTS.items() if key not in broken}) == OWN_WORDS
