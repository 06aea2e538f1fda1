"""Requests of people about their data, and how many days each kind may take, as rows with validity and source.

The numbers of days are those known when this was written, and sources differ: whoever has the text at hand corrects the
rows.
"""

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import DATERANGE, Range

revision = "0012_pre"
down_revision = "0011_pre"
branch_labels = None
depends_on = None

SOURCE = "Luật 91/2025/QH15, Nghị định 356/2025/NĐ-CP"
TERMS = {"correction": 10, "objection": 15, "erasure": 20}
EXTENSION_DAYS = 15
IN_FORCE = Range(date(2026, 1, 1), None)


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE data_request_term (
            kind text NOT NULL,
            valid daterange NOT NULL CHECK (NOT isempty(valid)),
            days integer NOT NULL CHECK (days > 0),
            extension_days integer NOT NULL CHECK (extension_days >= 0),
            source text NOT NULL,
            PRIMARY KEY (kind, valid WITHOUT OVERLAPS)
        )
        """
    )
    op.bulk_insert(
        sa.table(
            "data_request_term",
            sa.column("valid", DATERANGE),
            *map(sa.column, ("kind", "days", "extension_days", "source")),
        ),
        [
            {"kind": kind, "valid": IN_FORCE, "days": days, "extension_days": EXTENSION_DAYS, "source": SOURCE}
            for kind, days in TERMS.items()
        ],
    )
    op.execute(
        """
        CREATE TABLE data_request (
            school_id bigint NOT NULL,
            data_request_id bigint GENERATED ALWAYS AS IDENTITY,
            request_id text COLLATE "C" NOT NULL,
            digest bytea NOT NULL,
            kind text NOT NULL,
            collection text NOT NULL,
            key text NOT NULL,
            filed_by text NOT NULL,
            wish text NOT NULL,
            receive_time timestamptz NOT NULL,
            due_date date NOT NULL,
            extension_days integer NOT NULL,
            term_source text NOT NULL,
            state text NOT NULL CHECK (state IN ('received', 'granted', 'refused', 'done')),
            extended_by text NOT NULL DEFAULT '',
            extend_reason text NOT NULL DEFAULT '',
            decide_time timestamptz,
            decided_by text NOT NULL DEFAULT '',
            decide_reason text NOT NULL DEFAULT '',
            complete_time timestamptz,
            completed_by text NOT NULL DEFAULT '',
            completion_note text NOT NULL DEFAULT '',
            create_time timestamptz NOT NULL,
            created_by text NOT NULL,
            PRIMARY KEY (school_id, data_request_id),
            UNIQUE (school_id, request_id)
        )
        """
    )
    op.execute("CREATE INDEX data_request_due ON data_request (due_date, school_id, data_request_id)")
