"""The quick look at rules never says more than protovalidate, and says it of every good row of a school."""

import contextlib
from collections.abc import Callable
from typing import Any

import protovalidate
import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1.resources_pb2 import Row
from iocedu.records.v1.school_life_pb2 import ConductEntry

from chassis.quick_rules import quick_look

RECORDS = tuple(Row.DESCRIPTOR.oneofs_by_name["record"].fields)
LENGTHS = (0, 1, 10, 11, 20, 21, 40, 41, 50, 51, 64, 65, 100, 101, 200, 201, 500, 501, 2000, 2001)
WORDS = (
    *("", "0", "1", "2", "3", "01", "05", "06", "09", "18", "19", "015", "GK1", "CN", "CN\n", "P", "DN", "violence"),
    *("2026-09-05", "2026-9-5", "２026-09-05", "2026-09-05\n", "a\x1fb", "\x1f", "\0", "ế" * 20, "\U0001f600" * 64),
)
TEXTS = st.sampled_from(WORDS) | st.sampled_from(LENGTHS).map("x".__mul__) | st.text(max_size=12)
INTEGERS = st.sampled_from((-1, 0, 1, 2, 3, 400, 401, 1000, 1001, 1989, 1990, 2026, 2100, 2101))
NUMBERS = st.sampled_from((-0.1, 0.0, 2.0, 2.1, 10.0, 10.1, 60.1, 250.0, 300.1, float("nan"), float("inf")))


def surely_keeps_rules(message: Any) -> bool:
    """Whether the quick look is sure of a message."""
    return quick_look(message.DESCRIPTOR)(message)


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return st.deferred(lambda: _messages(field.message_type))
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    return NUMBERS if field.type == FieldDescriptor.TYPE_DOUBLE else INTEGERS


@st.composite
def _messages(draw: st.DrawFn, descriptor: Any) -> Any:
    """A message of a type with some fields set, near the bounds of their rules and beyond."""
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.containing_oneof not in Row.DESCRIPTOR.oneofs and draw(st.integers(0, 3)):
            _set(draw, message, field)
    return message


def _set(draw: Callable[[st.SearchStrategy[Any]], Any], message: Any, field: FieldDescriptor) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        sizes, longest = st.sampled_from((0, 1, 399, 400, 401)), st.sampled_from((1, 80, 81))
        key, value = "k" * draw(longest), "v" * draw(st.sampled_from((0, 65_536, 65_537)))
        getattr(message, field.name).update({str(one): "" for one in range(draw(sizes))} | {key: value})
    elif field.is_repeated:
        many = draw(st.sampled_from((0, 1, 5, 6, 20, 21, 40, 41)))
        getattr(message, field.name).extend([draw(_values(field))] * many)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(draw(_values(field)))
    else:
        setattr(message, field.name, draw(_values(field)))


@given(st.data())
def test_what_surely_keeps_its_rules_breaks_none(data: st.DataObject) -> None:
    """Of rows with any record; and of the record alone, which more often keeps them."""
    field = data.draw(st.sampled_from(RECORDS))
    record = data.draw(_messages(field.message_type))
    row = data.draw(_messages(Row.DESCRIPTOR))
    getattr(row, field.name).CopyFrom(record)
    for message in (record, row):
        if surely_keeps_rules(message):
            assert not protovalidate.collect_violations(message)


def _broken(message: Any) -> set[str]:
    paths = [one.proto.field for one in protovalidate.collect_violations(message)]
    return {path.elements[0].field_name for path in paths if path is not None}


def _good(descriptor: Any) -> Any:
    """A message that keeps its rules, found by asking for each field that has none it keeps yet."""
    message = message_factory.GetMessageClass(descriptor)()
    for name in _broken(message):
        for value in (*WORDS, 1, 2026):
            with contextlib.suppress(TypeError):
                setattr(message, name, value)
            if name not in _broken(message):
                break
    assert not _broken(message)
    return message


@pytest.mark.parametrize("kind", [one.name for one in RECORDS if one.message_type is not ConductEntry.DESCRIPTOR])
@given(data=st.data())
def test_one_field_of_a_good_row_decides_as_protovalidate_does(kind: str, data: st.DataObject) -> None:
    """Each side of each bound; only the sign that stands between texts makes the look unsure of a good one."""
    row = Row(school="moet:1", key="1", version=1)
    record = getattr(row, kind)
    record.CopyFrom(_good(record.DESCRIPTOR))
    assert surely_keeps_rules(row)
    message = data.draw(st.sampled_from((row, record, record)))
    changed = data.draw(st.sampled_from([one for one in message.DESCRIPTOR.fields if one not in RECORDS]))
    _set(data.draw, message, changed)
    assert surely_keeps_rules(row) is not bool(protovalidate.collect_violations(row)) or "\\037" in str(row)


def _type(name: str, number_rules: validate_pb2.FieldRules | None = None, *, required_choice: bool = False) -> Any:
    """A type with one number, and the rules given for it; or with a choice that must be made."""
    proto = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=name, syntax="proto3")
    proto.dependency.append("buf/validate/validate.proto")
    field = proto.message_type.add(name="Of").field.add(name="number", number=1)
    field.type, field.label = field.TYPE_INT32, field.LABEL_OPTIONAL
    if number_rules is not None:
        field.options.Extensions[validate_pb2.field].CopyFrom(number_rules)
    if required_choice:
        proto.message_type[0].oneof_decl.add(name="choice").options.Extensions[validate_pb2.oneof].required = True
        field.oneof_index = 0
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(proto.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{name}.Of"))


def test_rules_that_are_not_known_are_never_sure() -> None:
    """A rule in CEL of a whole message, as of an entry about conduct; and any of a field beside those of its type."""
    assert not surely_keeps_rules(ConductEntry(school_year=2026, pupil_key="P", kind="reward"))
    required = validate_pb2.FieldRules(required=True, int32=validate_pb2.Int32Rules(gte=0))
    assert not surely_keeps_rules(_type("needed", required)(number=1))
    listed = validate_pb2.FieldRules(int32=validate_pb2.Int32Rules(gte=0, not_in=[1]))
    assert not surely_keeps_rules(_type("listed", listed)(number=2))
    outside = validate_pb2.FieldRules(int32=validate_pb2.Int32Rules(gt=5, lt=3))
    assert not surely_keeps_rules(_type("outside", outside)(number=9))
    assert not surely_keeps_rules(_type("chosen", required_choice=True)())


def test_a_message_without_rules_is_sure() -> None:
    """There is nothing to break."""
    assert surely_keeps_rules(_type("bare")(number=1))
