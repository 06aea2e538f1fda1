"""Sync's tables: batches, the quarantine, connections, and the chassis' own."""

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
