"""History as callers see it: what changed, field by field, as text; masked as the record itself is."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from iocedu.records.v1 import history_pb2, resources_pb2

from services.records.convert.outgoing import Alias, fill_row, record_of
from services.records.domain.edits import Kept
from services.records.domain.history import Brought, State, change_of, changed_fields
from services.records.domain.objects import Kind, ObjectSpec

NOTHING_BROUGHT: Final[Mapping[str, Brought]] = MappingProxyType({})
NO_EDITS: Final[Mapping[str, Kept]] = MappingProxyType({})


def add_changes(
    changes: Any,
    spec: ObjectSpec,
    states: Sequence[State],
    *,
    most: int,
    mask: bool,
    pruned_until: datetime | None = None,
    edits: Mapping[str, Kept] = NO_EDITS,
    brought: Mapping[str, Brought] = NOTHING_BROUGHT,
) -> None:
    """Append the changes that led to the first `most` of a record's states, given newest first.

    `edits` are the corrections by hand among them, `brought` says where the others came from; both by request id.
    """
    texts = [_texts(spec, state, mask=mask) for state in states]
    for place, state in enumerate(states[:most]):
        earlier = states[place + 1] if place + 1 < len(states) else None
        before = texts[place + 1] if earlier is not None else {}
        change = changes.add(
            kind=change_of(state, earlier, pruned_until=pruned_until),
            source=state.source,
            request_id=state.request_id or "",
            version=state.version,
            fields=[
                history_pb2.FieldChange(
                    field=name, old_value=before.get(name, ""), new_value=texts[place].get(name, "")
                )
                for name in changed_fields(spec, state, earlier)
            ],
        )
        change.change_time.FromDatetime(state.from_time)
        if edit := edits.get(change.request_id):
            change.edited_by, change.edit_reason = edit.edited_by, edit.reason
        if origin := brought.get(change.request_id):
            change.brought_by, change.batch_unit_id = origin.by, origin.unit_id
            change.batch_ids.extend(origin.batch_ids)


def record_as_of(
    spec: ObjectSpec, state: State, *, school_id: int, key: str, alias: Alias, mask: bool
) -> history_pb2.GetRecordAsOfResponse:
    """A record in one of its states."""
    stored = state.row(spec, school_id=school_id, key=key)
    response = history_pb2.GetRecordAsOfResponse(
        record=record_of(spec, stored, position=0, alias=alias, mask=mask), request_id=state.request_id or ""
    )
    if state.until_time is not None:
        response.until_time.FromDatetime(state.until_time)
    return response


def _texts(spec: ObjectSpec, state: State, *, mask: bool) -> Mapping[str, str]:
    """The fields of a state as text, by name; a deleted record has none."""
    if state.deleted:
        return {}
    row = resources_pb2.Row()
    fill_row(row, spec, state.row(spec, school_id=0, key=""), alias=str, mask=mask)
    record = getattr(row, spec.field)
    found = {column.name: _text(record, column.name, column.kind) for column in spec.columns}
    return found | {f"further.{name}": value for name, value in record.further.items()}


def _text(record: Any, name: str, kind: Kind) -> str:
    value = getattr(record, name)
    if kind is Kind.CHOICE and not record.HasField(name):
        return ""
    if kind is Kind.TEXTS:
        return json.dumps(list(value), ensure_ascii=False) if value else ""
    if kind is Kind.ITEMS:
        items = [MessageToDict(item, preserving_proto_field_name=True) for item in value]
        return json.dumps(items, ensure_ascii=False) if items else ""
    return str(value).lower() if kind in (Kind.FLAG, Kind.CHOICE) else str(value)
