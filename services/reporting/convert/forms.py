"""Forms between the wire, the database's JSON and the domain; the JSON is the message's own."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from iocedu.reporting.v1 import forms_pb2

from services.reporting.domain.forms import Check, Form, Line, OwnCell, Sheet


def form_of(message: forms_pb2.Form) -> Form:
    """The form as a value."""
    return Form(
        code=message.code,
        version=message.version,
        name_vi=message.name_vi,
        name_en=message.name_en,
        stage=message.stage,
        levels=tuple(message.levels),
        source_document=message.source_document,
        sample=message.sample,
        unit_id=message.unit_id,
        locked_collections=tuple(message.locked_collections),
        lock_period=message.lock_period,
        sheets=tuple(map(_sheet, message.sheets)),
        checks=tuple(
            Check(one.code, one.severity, one.condition, one.message_vi, one.message_en) for one in message.checks
        ),
    )


def definition_of(message: forms_pb2.Form) -> dict[str, Any]:
    """The form as JSON to keep: what its author says, without what is output only."""
    bare = forms_pb2.Form()
    bare.CopyFrom(message)
    bare.ClearField("version")
    bare.ClearField("sample")
    bare.ClearField("unit_id")
    bare.ClearField("create_time")
    bare.ClearField("created_by")
    kept: dict[str, Any] = MessageToDict(bare, preserving_proto_field_name=True)
    return kept


def form_message(row: Mapping[str, Any], *, whole: bool = True) -> forms_pb2.Form:
    """A kept form as a message, whole or without its sheets and checks."""
    given = row["definition"] if whole else _bare(row["definition"])
    message = ParseDict(given, forms_pb2.Form())
    message.version, message.sample, message.unit_id = row["version"], row["sample"], row["unit_id"]
    message.created_by = row["created_by"]
    if row["create_time"] is not None:
        message.create_time.FromDatetime(row["create_time"])
    return message


def _bare(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in definition.items() if name not in ("sheets", "checks")}


def _sheet(sheet: forms_pb2.FormSheet) -> Sheet:
    return Sheet(
        code=sheet.code,
        title_vi=sheet.title_vi,
        title_en=sheet.title_en,
        rows=tuple(map(_line, sheet.rows)),
        columns=tuple(map(_line, sheet.columns)),
        cells=tuple(
            OwnCell(one.row, one.column, one.indicator, dict(one.where), one.entered, one.blank) for one in sheet.cells
        ),
    )


def _line(line: forms_pb2.FormLine) -> Line:
    return Line(
        code=line.code,
        title_vi=line.title_vi,
        title_en=line.title_en,
        indicator=line.indicator,
        where=dict(line.where),
        sum_of=tuple(line.sum_of),
        entered=line.entered,
        decimal=line.decimal,
        indent=line.indent,
    )
