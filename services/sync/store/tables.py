"""Sync's tables: batches, the quarantine, connections, coverage, and the chassis' own."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from chassis.database import chassis_tables

metadata = sa.MetaData()
chassis = chassis_tables(metadata)
INSTANT = sa.DateTime(timezone=True)

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True),
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("outcome", sa.LargeBinary, nullable=False),
    sa.Column("backfill", sa.Boolean, nullable=False),
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("create_time", INSTANT, nullable=False),
)
quarantined_row = sa.Table(
    "quarantined_row",
    metadata,
    sa.Column("place_id", sa.BigInteger, primary_key=True),
    sa.Column("quarantined_row_id", sa.BigInteger, primary_key=True),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("batch_id", sa.Text, nullable=False),
    sa.Column("row_index", sa.Integer, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("message_en", sa.Text, nullable=False),
    sa.Column("metadata", JSONB, nullable=False),
    sa.Column("stored_version", sa.BigInteger, nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("backfill", sa.Boolean, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("create_time", INSTANT, nullable=False),
)
connection = sa.Table(
    "connection",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True),
    sa.Column("must_connect", sa.Boolean, nullable=False),
    sa.Column("first_accept_time", INSTANT),
    sa.Column("last_accept_time", INSTANT),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("accepted_count", sa.BigInteger, nullable=False),
    sa.Column("rejected_count", sa.BigInteger, nullable=False),
    sa.Column("create_time", INSTANT, nullable=False),
)
erased_key = sa.Table(
    "erased_key",
    metadata,
    sa.Column("place_id", sa.BigInteger, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
)
_DECLARATION = (
    ("school_id", sa.BigInteger),
    ("unit_id", sa.BigInteger),
    ("source", sa.Text),
    ("declaration_id", sa.Text),
)
declaration = sa.Table(
    "declaration",
    metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _DECLARATION),
    sa.Column("school_year", sa.Integer, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("batch_count", sa.Integer, nullable=False),
    sa.Column("backfill", sa.Boolean, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("outcome", sa.LargeBinary, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decision_reason", sa.Text, nullable=False),
    sa.Column("decide_time", INSTANT),
    sa.Column("create_time", INSTANT, nullable=False),
)
declaration_batch = sa.Table(
    "declaration_batch",
    metadata,
    *(sa.Column(name, kind, primary_key=True) for name, kind in _DECLARATION),
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("numbers", sa.LargeBinary, nullable=False),
    sa.Column("unsure_count", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint([name for name, _ in _DECLARATION], [declaration.c[name] for name, _ in _DECLARATION]),
)

import_ = sa.Table(
    "import",
    metadata,
    sa.Column("import_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("subject", "source", "file_name")),
    sa.Column("school_year", sa.Integer, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("collection", "stage")),
    *(sa.Column(name, sa.Boolean, nullable=False) for name in ("complete", "backfill")),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    *(sa.Column(name, sa.Integer, nullable=False) for name in ("attempts", "row_count", "slices_done")),
    *(
        sa.Column(f"{name}_count", sa.Integer, nullable=False)
        for name in ("accepted", "unchanged", "stale", "rejected", "held")
    ),
    *(sa.Column(name, JSONB, nullable=False) for name in ("sheets", "suspicions", "error")),
    # Absent: it was taken before it could be asked for.
    sa.Column("validate_only", sa.Boolean),
    sa.Column("deletions", JSONB),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("decided_by", "decision_reason")),
    sa.Column("decide_time", INSTANT),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("drop_file", sa.Boolean, nullable=False),
    sa.Column("claim", sa.Uuid),
    sa.Column("claimed_until", INSTANT),
    sa.Column("create_time", INSTANT, nullable=False),
    sa.Column("update_time", INSTANT, nullable=False),
    sa.Column("end_time", INSTANT),
)
import_part = sa.Table(
    "import_part",
    metadata,
    sa.Column("import_id", sa.BigInteger, sa.ForeignKey("import.import_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
replay = sa.Table(
    "replay",
    metadata,
    sa.Column("place_id", sa.BigInteger, primary_key=True),
    sa.Column("after_row_id", sa.BigInteger, nullable=False),
    sa.Column("asked", sa.Integer, nullable=False),
    sa.Column("claimed_until", INSTANT),
    sa.Column("create_time", INSTANT, nullable=False),
)

coverage = sa.Table(
    "coverage",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True),
    sa.Column("known_since", INSTANT, nullable=False),
    *(sa.Column(name, INSTANT) for name in ("first_refused_time", "last_refused_time")),
    sa.Column("look_time", INSTANT, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("since_time", INSTANT),
    sa.Column("reasons", JSONB, nullable=False),
    *(sa.Column(f"{name}_count", sa.Integer, nullable=False) for name in ("expected", "arrived")),
    *(sa.Column(f"{name}_count", sa.BigInteger, nullable=False) for name in ("taken", "rejected", "held", "open_row")),
    sa.Column("update_time", INSTANT),
    sa.Column("told_must_connect", sa.Boolean, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)
coverage_day = sa.Table(
    "coverage_day",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    *(
        sa.Column(f"{name}_count", sa.BigInteger, nullable=False)
        for name in ("taken", "rejected", "held", "batch", "refused_batch")
    ),
)
coverage_collection = sa.Table(
    "coverage_collection",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True),
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("school_year", sa.Integer, primary_key=True),
    *(sa.Column(name, INSTANT, nullable=False) for name in ("first_time", "last_time")),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("last_day", sa.Text, nullable=False),
)
partner = sa.Table(
    "partner",
    metadata,
    sa.Column("partner_id", sa.Text, primary_key=True),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("display_name", "contact")),
    sa.Column("state", sa.SmallInteger, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("state_reason", "state_by")),
    sa.Column("state_time", INSTANT, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("create_time", INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)
partner_key = sa.Table(
    "partner_key",
    metadata,
    sa.Column("partner_id", sa.Text, primary_key=True),
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("jwk", JSONB, nullable=False),
    sa.Column("valid_from", INSTANT, nullable=False),
    sa.Column("valid_to", INSTANT),
    sa.Column("revoke_time", INSTANT),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("revoked_by", "revoke_reason")),
    sa.Column("create_time", INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)
partner_connection = sa.Table(
    "partner_connection",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True),
    sa.Column("connection_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("partner_id", sa.Text, nullable=False),
    sa.Column("collections", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_to", sa.Date),
    sa.Column("grant_id", sa.BigInteger, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("connected_by", "reason")),
    sa.Column("create_time", INSTANT, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("ended_by", "end_reason")),
    sa.Column("end_time", INSTANT),
    sa.Column("handed_over_from", sa.BigInteger, nullable=False),
)
sandbox = sa.Table(
    "sandbox",
    metadata,
    sa.Column("partner_id", sa.Text, primary_key=True),
    sa.Column("unit_id", sa.BigInteger, nullable=False),
    sa.Column("school_ids", sa.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("aliases", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("reset_count", sa.Integer, nullable=False),
    sa.Column("reset_time", INSTANT),
    sa.Column("create_time", INSTANT, nullable=False),
)
sandbox_push = sa.Table(
    "sandbox_push",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True),
    sa.Column("push_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("batch_id", sa.Text, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("self_signed", sa.Boolean, nullable=False),
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("shown", JSONB, nullable=False),
    sa.Column("create_time", INSTANT, nullable=False),
)
