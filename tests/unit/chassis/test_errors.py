"""Faults on the wire: complete, small enough, in the caller's language, and readable on the other side."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import MOST_BYTES, MOST_VIOLATIONS, Fault, FieldViolation, Kind, from_status, language_of, to_status


def _fault(**fields):
    return Fault(Kind.INVALID, "BAD_THING", vi="Sai rồi.", en="That is wrong.", **fields)


def _detail(status, kind):
    for packed in status.details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


def test_every_kind_has_its_own_status_code():
    """One table from fault to code; no two kinds share one."""
    assert len({kind.value for kind in Kind}) == len(Kind)
    assert Kind.CONFLICT.value is grpc.StatusCode.ABORTED
    assert Kind.TOO_LATE.value is grpc.StatusCode.OUT_OF_RANGE


def test_a_fault_survives_the_wire():
    """What one service says, another reads back whole."""
    said = _fault(
        metadata={"unit": "moet:1"},
        violations=[FieldViolation("rows[3].key", "TOO_LONG", "quá dài", "is too long")],
        retry_after=timedelta(seconds=2.5),
    )
    heard = from_status(to_status(said, domain="toy.iocedu", language="vi", trace_id="abc"))
    assert (heard.kind, heard.reason, heard.domain) == (Kind.INVALID, "BAD_THING", "toy.iocedu")
    assert (heard.vi, heard.en) == ("Sai rồi.", "That is wrong.")
    assert heard.metadata == {"unit": "moet:1", "trace_id": "abc"}
    assert heard.retry_after == timedelta(seconds=2.5)
    assert heard.violations == said.violations


def test_a_long_message_ends_with_a_whole_word():
    """It says that there is more; a short one stays as it is."""
    listed = ", ".join(f"chỉ_số_{number}" for number in range(400))
    told = from_status(to_status(Fault(Kind.INVALID, "X", vi=listed, en="short"), domain="d", language="vi"))
    assert listed.startswith(told.vi.removesuffix("…"))
    assert told.vi.endswith(",…")
    assert 1400 < len(told.vi.encode()) <= 1500
    assert told.en == "short"


def test_the_sentence_is_in_the_language_asked_for():
    """Vietnamese by default, English where asked; the developer's message stays English."""
    for language, sentence in (("vi", "Sai rồi."), ("en", "That is wrong.")):
        status = to_status(_fault(), domain="toy.iocedu", language=language)
        text = _detail(status, error_details_pb2.LocalizedMessage)
        assert text is not None
        assert (text.locale, text.message, status.message) == (language, sentence, "That is wrong.")


def test_a_passed_on_fault_keeps_the_domain_it_came_from():
    """A reason belongs to the service that gave it."""
    heard = from_status(to_status(_fault(), domain="first.iocedu", language="vi"))
    info = _detail(to_status(heard, domain="second.iocedu", language="vi"), error_details_pb2.ErrorInfo)
    assert info is not None
    assert info.domain == "first.iocedu"


@given(st.integers(0, 200), st.integers(0, 2000), st.integers(0, 4000))
def test_details_never_outgrow_the_metadata(count, text_length, metadata_length):
    """However much is wrong, at most 20 violations and about 4 kB leave, and the first violations are among them."""
    violations = [
        FieldViolation(f"rows[{n}].key", "TOO_LONG", "ắ" * text_length, "a" * text_length) for n in range(count)
    ]
    said = _fault(violations=violations, metadata={"cause": "x" * metadata_length})
    status = to_status(said, domain="toy.iocedu", language="vi", trace_id="0" * 32)
    assert status.ByteSize() <= MOST_BYTES
    bad = _detail(status, error_details_pb2.BadRequest)
    assert (bad is not None) == (count > 0)
    if bad is not None:
        assert 1 <= len(bad.field_violations) <= MOST_VIOLATIONS
        assert [item.field for item in bad.field_violations] == [
            v.field for v in violations[: len(bad.field_violations)]
        ]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "vi"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("en;q=0.4, vi;q=0.5", "vi"),
        ("fr-FR, de;q=0.9", "vi"),
        ("fr, en;q=0.1", "en"),
        ("en;q=broken", "vi"),
    ],
)
def test_the_language_is_the_best_of_ours_that_the_caller_reads(header, language):
    """`accept-language` with its weights; Vietnamese where it names none of ours."""
    assert language_of(header) == language
