"""What people read: the clock on the wall, and words instead of patterns."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from chassis.errors import Fault, FieldViolation, Kind, to_status
from chassis.validation import field_violations
from chassis.wording import in_vietnamese, pattern_in_words
from tests.support.toy import toy_pb2

GENERATED = Path(__file__).parents[3] / "gen"
SAID_BY_PEOPLE = re.compile(r"(purpose|reason|note|text|title|body|message)(_vi|_en)?")


def fields() -> Iterator[tuple[FieldDescriptor, validate_pb2.FieldRules]]:
    """Every field of this product with its rules."""

    def look(message: Descriptor) -> Iterator[FieldDescriptor]:
        yield from message.fields
        for inner in message.nested_types:
            yield from look(inner)

    for file in sorted(GENERATED.glob("iocedu/*/v1/*_pb2.py")):
        module = importlib.import_module(".".join(file.relative_to(GENERATED).with_suffix("").parts))
        for message in module.DESCRIPTOR.message_types_by_name.values():
            for field in look(message):
                yield field, field.GetOptions().Extensions[validate_pb2.field]


def patterns() -> set[str]:
    """Every pattern that a request of this product can break."""
    found: set[str] = set()
    for _, rules in fields():
        for texts in (rules.string, rules.repeated.items.string, rules.map.keys.string, rules.map.values.string):
            found.add(texts.pattern)
    return found - {""}


def test_every_pattern_of_the_interface_is_told_in_words():
    """One that is added needs its words, too; what holds for it is not shown to staff as an expression."""
    every = patterns()
    assert len(every) > 20
    words = {one: pattern_in_words(one) for one in sorted(every)}
    assert [one for one, said in words.items() if said is None] == []
    assert [one for one, said in words.items() if re.search(r"[\\[\]{}^$]", " ".join(said or ()))] == []


def test_what_people_must_say_is_never_blank():
    """A purpose, a reason, a note or a title of spaces alone says nothing, and is kept as said."""
    said = [
        (field.full_name, rules.string.pattern)
        for field, rules in fields()
        if rules.string.min_len and SAID_BY_PEOPLE.fullmatch(field.name)
    ]
    assert len(said) > 30
    assert [name for name, pattern in said if not pattern or re.search(pattern, "   ")] == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("đã bị khóa từ 2026-11-20T02:30:00Z bởi «so»", "đã bị khóa từ 09:30 ngày 20/11/2026 bởi «so»"),
        ("lúc 2026-12-31T18:05:09.123456+00:00.", "lúc 01:05 ngày 01/01/2027."),
        ("ghi «2014-02-30» không phải là ngày", "ghi «2014-02-30» không phải là ngày"),
        ("Trường T1 còn trống", "Trường T1 còn trống"),
    ],
)
def test_instants_are_told_by_the_time_of_viet_nam(said: str, told: str):
    """Values as they were sent stay as they are."""
    assert in_vietnamese(said) == told


def test_a_fault_leaves_with_the_clock_on_the_wall_in_vietnamese_and_utc_in_english():
    """Its fields, too; metadata stay what programs read."""
    since = "2026-11-20T02:30:00Z"
    violation = FieldViolation("row", "LOCKED", f"khóa từ {since}", f"locked since {since}")
    fault = Fault(
        Kind.PRECONDITION, "LOCKED", vi=f"Khóa từ {since}.", en=f"Since {since}.", metadata={"since": since},
        violations=[violation],
    )  # fmt: skip
    vi = to_status(fault, domain="toy", language="vi").SerializeToString().decode(errors="replace")
    en = to_status(fault, domain="toy", language="en").SerializeToString().decode(errors="replace")

    assert "Khóa từ 09:30 ngày 20/11/2026." in vi
    assert "khóa từ 09:30 ngày 20/11/2026" in vi
    assert vi.count(since) == 3, "metadata, the status and the description are for programs"
    assert "09:30" not in en


def test_no_rule_is_told_in_english_to_staff():
    """Also one that has no words of its own."""
    (violation,) = field_violations(toy_pb2.LookRequest(unit="x" * 21))
    assert violation.vi == "Trường unit quá dài: nhiều nhất 20 ký tự."
