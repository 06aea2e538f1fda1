"""The tables of records, as queries see them; the migrations make them and hold the constraints.

The tables of records are drawn from the column specs. Keys and sort keys compare byte by byte, whatever the
database's own order is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, JSONB
from sqlalchemy.types import TypeEngine

from chassis.database import chassis_tables
from services.records.domain.objects import SPECS, Column, Kind, ObjectSpec

metadata = sa.MetaData()
chassis = chassis_tables(metadata)

_INSTANT = sa.DateTime(timezone=True)
_KEY = sa.Text(collation="C")

_TYPES: Final[Mapping[Kind, TypeEngine[Any]]] = MappingProxyType(
    {
        Kind.TEXT: sa.Text(),
        Kind.SAID: sa.Text(),
        Kind.INTEGER: sa.Integer(),
        Kind.FLAG: sa.Boolean(),
        Kind.DECIMAL: sa.Double(),
        Kind.CHOICE: sa.Boolean(),
        Kind.DATE: sa.Date(),
        Kind.TEXTS: ARRAY(sa.Text()),
        Kind.ITEMS: JSONB(),
    },
)


_NULLABLE: Final = (Kind.SAID, Kind.CHOICE, Kind.DATE, Kind.ITEMS)


def _column(column: Column) -> "sa.Column[Any]":
    return sa.Column(column.name, _TYPES[column.kind], nullable=column.kind in _NULLABLE)


def _table(spec: ObjectSpec) -> sa.Table:
    return sa.Table(
        spec.field,
        metadata,
        sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("change_version", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("content_hash", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("update_time", _INSTANT, nullable=False),
        sa.Column("request_id", sa.Text),
        *map(_column, spec.columns),
        sa.Column("further", JSONB),
        *((sa.Column("search_name", sa.Text, nullable=False),) if spec.name else ()),
        *((sa.Column("sort_name", _KEY, nullable=False),) if spec.name else ()),
    )


RECORDS: Final[Mapping[str, sa.Table]] = MappingProxyType({spec.field: _table(spec) for spec in SPECS})

record_history = sa.Table(
    "record_history",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("history_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("from_time", _INSTANT, nullable=False),
    sa.Column("until_time", _INSTANT, nullable=False),
    sa.Column("request_id", sa.Text),
    sa.Column("image", JSONB, nullable=False),
)

history_retention = sa.Table(
    "history_retention",
    metadata,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("kept_days", sa.Integer),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("pruned_until", _INSTANT),
)

feed = sa.Table(
    "feed",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

record_rename = sa.Table(
    "record_rename",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("previous_key", _KEY, primary_key=True),
    sa.Column("key", _KEY, nullable=False),
    sa.Column("rename_time", _INSTANT, nullable=False),
)

feed_position = sa.Table("feed_position", metadata, sa.Column("position", sa.BigInteger, nullable=False))

name_word = sa.Table("name_word", metadata, sa.Column("word", _KEY, primary_key=True))

apply_request = sa.Table(
    "apply_request",
    metadata,
    sa.Column("request_id", _KEY, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("response", sa.LargeBinary, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
)

brought = sa.Table(
    "brought",
    metadata,
    sa.Column("request_id", _KEY, primary_key=True),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("batch_ids", ARRAY(sa.Text), nullable=False),
    sa.Column("brought_by", sa.Text, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False, server_default=sa.func.now()),
    sa.Index("brought_create_time", "create_time"),
)

record_edit = sa.Table(
    "record_edit",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request_id", _KEY, primary_key=True),
    sa.Column("edited_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

lock = sa.Table(
    "lock",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("lock_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("school_year", sa.Integer, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("lock_time", _INSTANT, nullable=False),
    sa.Column("locked_by", sa.Text, nullable=False),
    sa.Column("lock_service", sa.Text, nullable=False),
    sa.Column("lift_time", _INSTANT),
    sa.Column("lifted_by", sa.Text, nullable=False),
    sa.Column("lift_service", sa.Text, nullable=False),
    sa.Column("lift_reason", sa.Text, nullable=False),
)

full_copy = sa.Table(
    "full_copy",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("school_year", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("awaited", ARRAY(sa.BigInteger), nullable=False),
)

hand_over = sa.Table(
    "hand_over",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hand_over_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("from_time", _INSTANT, nullable=False),
    sa.Column("handed_over_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
)

unit = sa.Table(
    "unit",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
    sa.Column("labels", ARRAY(sa.Text), nullable=False),
)

unit_name = sa.Table(
    "unit_name",
    metadata,
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sort_name", _KEY, nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
)

unit_code = sa.Table(
    "unit_code",
    metadata,
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
)

unit_edge = sa.Table(
    "unit_edge",
    metadata,
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("parent_id", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
)

unit_succession = sa.Table(
    "unit_succession",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("successor_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("effective_date", sa.Date, primary_key=True),
    sa.Column("partial", sa.Boolean, nullable=False),
)

unit_operation = sa.Table(
    "unit_operation",
    metadata,
    sa.Column("operation_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request_id", _KEY, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("effective_date", sa.Date, nullable=False),
    sa.Column("operation", sa.LargeBinary, nullable=False),
    sa.Column("response", sa.LargeBinary, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)

unit_operation_unit = sa.Table(
    "unit_operation_unit",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("operation_id", sa.BigInteger, primary_key=True, autoincrement=False),
)

person_disclosure = sa.Table(
    "person_disclosure",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("to_school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("disclose_time", _INSTANT, nullable=False),
    sa.Column("disclosed_by", sa.Text, nullable=False),
)

role_grant = sa.Table(
    "role_grant",
    metadata,
    sa.Column("grant_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("unit_id", sa.BigInteger),
    sa.Column("edge_type", sa.Text, nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("revoke_time", _INSTANT),
    sa.Column("revoked_by", sa.Text),
    sa.Column("provenance", sa.Text, nullable=False),
    sa.Column("moved_from", sa.BigInteger),
    sa.Column("operation_id", sa.BigInteger),
    sa.Column("delegated_from", sa.BigInteger),
)

delegation_term = sa.Table(
    "delegation_term",
    metadata,
    sa.Column("valid", DATERANGE, nullable=False),
    sa.Column("days", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
)

scope_version = sa.Table(
    "scope_version",
    metadata,
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("published_version", sa.BigInteger, nullable=False),
)

access_log = sa.Table(
    "access_log",
    metadata,
    sa.Column("entry_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("read_time", _INSTANT, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("record_count", sa.Integer, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("unmasked", sa.Boolean, nullable=False),
    sa.Column("trace_id", sa.Text, nullable=False),
)

access_seal = sa.Table(
    "access_seal",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry_id", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)

access_anchored = sa.Table(
    "access_anchored",
    metadata,
    sa.Column("one", sa.Boolean, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)

access_unsealed = sa.Table(
    "access_unsealed", metadata, sa.Column("entry_id", sa.BigInteger, primary_key=True, autoincrement=False)
)

data_request_term = sa.Table(
    "data_request_term",
    metadata,
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
    sa.Column("days", sa.Integer, nullable=False),
    sa.Column("extension_days", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
)

data_request = sa.Table(
    "data_request",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("data_request_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("request_id", _KEY, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("filed_by", sa.Text, nullable=False),
    sa.Column("wish", sa.Text, nullable=False),
    sa.Column("receive_time", _INSTANT, nullable=False),
    sa.Column("due_date", sa.Date, nullable=False),
    sa.Column("extension_days", sa.Integer, nullable=False),
    sa.Column("term_source", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("extended_by", sa.Text, nullable=False),
    sa.Column("extend_reason", sa.Text, nullable=False),
    sa.Column("decide_time", _INSTANT),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decide_reason", sa.Text, nullable=False),
    sa.Column("complete_time", _INSTANT),
    sa.Column("completed_by", sa.Text, nullable=False),
    sa.Column("completion_note", sa.Text, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("try_after", _INSTANT),
)

school_calendar = sa.Table(
    "school_calendar",
    metadata,
    sa.Column("revision", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("school_year", sa.Integer, nullable=False),
    sa.Column("opening_day", sa.Date, nullable=False),
    sa.Column("terms", JSONB, nullable=False),
    sa.Column("holidays", JSONB, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("confirmed", sa.Boolean, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("first_day", sa.Date),
    sa.Column("request_id", _KEY, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)

transfer_term = sa.Table(
    "transfer_term",
    metadata,
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("between_provinces", sa.Boolean, nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
    sa.Column("working_days", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
)

transfer = sa.Table(
    "transfer",
    metadata,
    sa.Column("transfer_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("releasing_id", sa.BigInteger, nullable=False),
    sa.Column("pupil_key", _KEY, nullable=False),
    sa.Column("school_year", sa.Integer, nullable=False),
    sa.Column("receiving_id", sa.BigInteger, nullable=False),
    sa.Column("receiving_key", _KEY, nullable=False),
    sa.Column("between_provinces", sa.Boolean, nullable=False),
    sa.Column("opened_by_receiving", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("due_date", sa.Date),
    sa.Column("term_source", sa.Text, nullable=False),
    sa.Column("state_time", _INSTANT, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
    sa.Column("told_late", sa.Date),
    sa.Column("request_id", _KEY, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("opener_id", sa.BigInteger, nullable=False),
)

transfer_step = sa.Table(
    "transfer_step",
    metadata,
    sa.Column("transfer_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("step_by", sa.Text, nullable=False),
    sa.Column("step_time", _INSTANT, nullable=False),
)

erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("data_request_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("deed_time", _INSTANT, nullable=False),
    sa.Column("history_count", sa.BigInteger, nullable=False),
)

erasure_confirmation = sa.Table(
    "erasure_confirmation",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("data_request_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("confirm_time", _INSTANT),
    sa.Column("erased_count", sa.BigInteger, nullable=False),
)

erased_record = sa.Table(
    "erased_record",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("data_request_id", sa.BigInteger, nullable=False),
    sa.Column("erase_time", _INSTANT, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
)

restricted_record = sa.Table(
    "restricted_record",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("data_request_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("restrict_time", _INSTANT, nullable=False),
    sa.Column("dropped", ARRAY(sa.Text), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
)

restriction_lift = sa.Table(
    "restriction_lift",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("data_request_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("lift_time", _INSTANT, nullable=False),
    sa.Column("lifted_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

sandbox_school = sa.Table(
    "sandbox_school",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root_id", sa.BigInteger, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("create_time", _INSTANT, nullable=False),
)
