"""A request that breaks its rules is refused with the exact path of each field, in both languages."""

import pytest
from iocedu.sync.v1 import imports_pb2

from chassis.errors import Fault, Kind
from chassis.validation import _between, check, field_violations
from tests.support.toy import toy_pb2


def test_a_request_that_keeps_its_rules_passes():
    """Nothing is said about a good request."""
    assert field_violations(toy_pb2.LookRequest(unit="moet:1", count=3)) == []
    check(toy_pb2.LookRequest(unit="moet:1", count=3))


def test_every_wrong_field_is_named():
    """All of them at once, each with a sentence a person understands."""
    with pytest.raises(Fault) as refused:
        check(toy_pb2.LookRequest(unit="x" * 21, count=-1))
    fault = refused.value
    assert (fault.kind, fault.reason) == (Kind.INVALID, "INVALID_FIELD")
    assert [violation.field for violation in fault.violations] == ["unit", "count"]
    assert fault.violations[0].vi == "Trường unit quá dài: nhiều nhất 20 ký tự."
    assert fault.violations[1].vi == "Trường count phải từ 0 trở lên."
    assert fault.vi == "Dữ liệu gửi lên chưa hợp lệ. Trường unit quá dài: nhiều nhất 20 ký tự. Cũng chưa hợp lệ: count."
    assert fault.en == "The request cannot be taken. unit: must be at most 20 characters. Wrong as well: count."


def test_a_pattern_is_told_in_words_in_both_languages():
    """Whoever reads English is shown no regular expression either."""
    with pytest.raises(Fault) as refused:
        check(imports_pb2.CreateImportRequest(unit="moet:1", source="Ươm Mầm"))
    (violation,) = (one for one in refused.value.violations if one.field == "source")
    assert violation.en == (
        "source: has not the right form: must be small letters a to z, digits and the signs . _ -; a letter or digit "
        "first, or empty."
    )
    assert violation.vi.startswith("Trường source không đúng định dạng: phải là chữ thường không dấu")


def test_a_value_out_of_a_range_is_told_the_range():
    """Both ends of it, whether they belong to it or not."""
    (found,) = field_violations(imports_pb2.GetTemplateRequest(unit="moet:1", collection="pupils", school_year=26))
    assert found.vi == "Trường school_year phải từ 1990 đến 2100."
    assert _between("must be greater than 0 and less than or equal to 1") == "phải lớn hơn 0 nhiều nhất 1"


def test_a_field_inside_a_list_is_named_with_its_place():
    """The path is the one a caller finds in what was sent."""
    request = toy_pb2.LookAtManyRequest(inners=[toy_pb2.Inner(unit="moet:1"), toy_pb2.Inner()])
    assert [violation.field for violation in field_violations(request)] == ["inners[1].unit"]


def test_no_more_violations_are_rendered_than_leave():
    """Five thousand wrong rows cost no five thousand sentences."""
    request = toy_pb2.LookAtManyRequest(inners=[toy_pb2.Inner() for _ in range(50)])
    assert len(field_violations(request)) == 20
    assert len(field_violations(request, most=50)) == 50


def test_a_text_no_database_takes_is_refused_by_name():
    """U+0000 in a key would else fail only in the database, and with it whatever shares the statement."""
    request = toy_pb2.LookRequest(unit="a\0b")

    with pytest.raises(Fault) as refused:
        check(request)

    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "INVALID_FIELD")
    assert [violation.field for violation in refused.value.violations] == ["unit"]
