"""The rules of notify without any server: messages, times, forms, files, addresses."""

import io
import string
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.clock import VIETNAM
from services.notify.convert.messages import sms_text
from services.notify.convert.rules import load_channel_rules, load_file_rules, load_speech
from services.notify.domain.attachments import plain_name, type_of
from services.notify.domain.channels import Channel, Contact, Message, Preference, Told, routes_of
from services.notify.domain.delivering import after_quiet_hours, paced, pause_before
from services.notify.domain.forms import Field, FieldType, fitted, wrong_form
from services.notify.domain.messages import GSM7, filled, one_line, plain, segments, shortened, unknown_variables
from services.notify.domain.notices import Matter

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
CLOCKS = st.times().map(lambda time: f"{time:%H:%M}")
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "count", "encoding"),
    [
        ("a" * 160, 1, "GSM-7"),
        ("a" * 161, 2, "GSM-7"),
        ("a" * 306, 2, "GSM-7"),
        ("a" * 307, 3, "GSM-7"),
        ("€" * 80, 1, "GSM-7"),
        ("€" * 81, 2, "GSM-7"),
        ("a" * 152 + "€" + "a" * 153, 3, "GSM-7"),
        ("ạ" * 70, 1, "UCS-2"),
        ("ạ" * 71, 2, "UCS-2"),
        ("ạ" * 135, 3, "UCS-2"),
        ("😀" * 35, 1, "UCS-2"),
        ("😀" * 36, 2, "UCS-2"),
    ],
)
def test_an_sms_is_cut_as_networks_cut_it(text, count, encoding):
    """Two units for a letter of the extension or outside the basic plane, never cut in two."""
    assert (segments(text).count, segments(text).encoding) == (count, encoding)


@given(st.text(alphabet="aáạăằđĐ €😀 .", max_size=400), st.integers(1, 3))
def test_a_shortened_text_fits_and_leaves_out_no_more_than_it_must(text, most):
    """It is a beginning of the text; one more letter would not have fitted."""
    short = shortened(text, most)
    assert segments(short).count <= most
    if short != text:
        assert text.startswith(short.removesuffix("...").rstrip())


@pytest.mark.parametrize(("without_marks", "most"), [(True, 1), (True, 2), (False, 2), (False, 3)])
def test_of_an_sms_that_is_too_long_the_title_is_cut_and_the_link_stays_whole(without_marks, most):
    """Whoever reads it can open what it tells of; as much of the title is there as is paid for."""
    title, speech = "Trường có nhiều lớp vượt sĩ số tối đa " * 12, load_speech()
    matter = Matter(7, 1, 100, "TH Ái Nghĩa", title, title, "", "", "warning", resolved=False, taken_by="")
    told = [Told(replace(matter, link="/alerts.html#rule=class_oversize"), "Hiệu trưởng", 3)]
    message = Message(UUID(int=1), Channel.SMS, "head", "+84912345678", 1, "vi", told)
    text = sms_text(message, speech, "https://ioc.example.vn", without_marks=without_marks, most_segments=most)
    assert text.endswith("https://ioc.example.vn/alerts.html#rule=class_oversize")
    assert "lop vuot" in plain(text)
    assert segments(text).count == most


def test_an_sms_that_is_too_long_without_its_title_is_cut_itself():
    """Nothing more can be left out."""
    short = shortened("Lớp 1A", 1, within=lambda title: f"{title}: {'x' * 400}")
    assert short.startswith("...: xxx")
    assert segments(short).count == 1


def test_without_tones_vietnamese_is_gsm7():
    """Every letter of the alphabet, in both cases."""
    letters = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵđ"
    assert set(plain(letters + letters.upper())) <= set(string.ascii_letters)
    assert set(plain("“Hạn” – ‘nộp’…")) <= GSM7


@given(INSTANTS, CLOCKS, CLOCKS)
def test_quiet_hours_end_within_a_day_outside_of_themselves(now, begin, end):
    """Whoever is told later is told at the end, less than a day after; who is not quiet is told now."""
    due = after_quiet_hours(now, begin, end, VIETNAM)
    assert now <= due < now + timedelta(days=1)
    assert after_quiet_hours(due, begin, end, VIETNAM) == due
    if due != now:
        assert f"{due.astimezone(VIETNAM):%H:%M}" == end


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 3)), max_size=30), st.floats(1, 50), st.integers(1, 30))
def test_a_channel_sends_no_more_than_its_pace(asked, per_second, burst):
    """In any time, however it was asked for: at most what the pace gives in it, and the burst."""
    free, now, sent = None, NOW, 0
    for wanted, pause in asked:
        now += timedelta(seconds=pause)
        allowed, free = paced(free, now, per_second=per_second, burst=burst, wanted=wanted)
        assert 0 <= allowed <= wanted
        sent += allowed
    assert sent <= (now - NOW).total_seconds() * per_second + burst + 1


@given(st.integers(1, 60), st.floats(0, 1))
def test_pauses_grow_and_are_bounded(attempt, share):
    """From half of the first to the longest."""
    pause = pause_before(attempt, first=5, longest=1800, share=share).total_seconds()
    assert 2.5 <= pause <= 1800
    assert pause <= 5 * 2 ** (attempt - 1)


@given(st.dictionaries(st.sampled_from(["n", "d", "b", "c", "t", "x"]), st.text(max_size=8)))
def test_what_fits_a_form_fits_it_again_unchanged(answers):
    """One spelling a type: accepting is idempotent, and nothing unknown is kept."""
    form = [
        Field("n", "N", FieldType.NUMBER, least=-5, most=100),
        Field("d", "D", FieldType.DATE),
        Field("b", "B", FieldType.BOOLEAN),
        Field("c", "C", FieldType.CHOICE, choices=("một", "hai")),
        Field("t", "T", FieldType.TEXT),
    ]
    kept, wrong = fitted(form, answers)
    assert fitted(form, kept) == (kept, [])
    assert ("x" in answers) <= any(one.path == 'answers["x"]' for one in wrong)
    assert wrong_form(form) == []


@pytest.mark.parametrize(("given_", "kept"), [("2,50", "2.5"), ("3.0", "3"), (" 7 ", "7"), ("1e2", "100")])
def test_numbers_come_in_vietnamese_and_english_spelling(given_, kept):
    """A comma or a point."""
    assert fitted([Field("n", "N", FieldType.NUMBER)], {"n": given_}) == ({"n": kept}, [])


@pytest.mark.parametrize("text", ["nan", "inf", "1.000.000", "mười"])
def test_what_is_no_number_is_named(text):
    """With the question as people know it."""
    _, [wrong] = fitted([Field("n", "Số phòng", FieldType.NUMBER)], {"n": text})
    assert "Số phòng" in wrong.vi


def test_templates_leave_out_lines_that_say_nothing_and_name_what_they_do_not_know():
    """No `Due:` without a due time."""
    assert filled("{title}\nHạn: {due}\nHết", {"title": "A", "due": ""}) == "A\nHết"
    assert unknown_variables("{title} {tilte} {}") == ["tilte", ""]
    assert one_line("a\r\nBcc: x@y") == "a Bcc: x@y"


def test_the_rules_that_ship_can_be_read():
    """Every channel has its rules, every language its texts."""
    rules, most = load_channel_rules()
    assert set(rules) == set(Channel)
    assert most > 0
    assert {language for _, language in load_speech().templates} == {"vi", "en"}


def _refused(contact: Contact) -> Contact:
    return contact.known_as(Channel.EMAIL, confirmed=True, failure="550 unknown")


def test_a_route_follows_what_was_chosen():
    """Switched off: none; a gravity of one's own; else the house's."""
    rules, _ = load_channel_rules()
    contact = Contact(email="a@b.vn", phone="+84912345678", email_confirmed=True, phone_confirmed=True)
    chosen = {
        Channel.EMAIL: Preference(Channel.EMAIL, enabled=True, least_severity=1),
        Channel.SMS: Preference(Channel.SMS, enabled=False),
    }
    assert [(one.channel, one.least_severity) for one in routes_of(contact, chosen, (), rules)] == [(Channel.EMAIL, 1)]
    for unused in (contact.known_as(Channel.EMAIL, confirmed=False), _refused(contact)):
        assert routes_of(unused, chosen, (), rules) == []
    assert [one.least_severity for one in routes_of(contact, {}, (), rules)] == [
        rules[Channel.EMAIL].least_severity,
        rules[Channel.SMS].least_severity,
    ]


def _archive(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return written.getvalue()


def test_office_files_are_known_by_what_is_inside_and_those_with_macros_are_not():
    """A ZIP is no document; a document with a program in it is none that is taken."""
    types = load_file_rules().types
    word, book = type_of(_archive("word/document.xml"), types), type_of(_archive("xl/workbook.xml"), types)
    assert word is not None
    assert word.extensions == ("docx",)
    assert book is not None
    assert book.extensions == ("xlsx",)
    assert type_of(_archive("word/document.xml", "word/vbaProject.bin"), types) is None
    assert type_of(_archive("anything"), types) is None


@given(st.text(max_size=40))
def test_a_name_holds_no_folder_and_nothing_invisible(name):
    """Whatever a client sends."""
    made = plain_name(name)
    assume(made)
    assert "/" not in made
    assert "\\" not in made
    assert made.isprintable()
