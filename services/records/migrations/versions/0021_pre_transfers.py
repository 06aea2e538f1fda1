"""Transfers between schools: where each stands, its steps, and how many working days each step may take."""

from alembic import op

revision = "0021_pre"
down_revision = "0020_pre"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE transfer_term (
        step text NOT NULL,
        between_provinces boolean NOT NULL,
        valid daterange NOT NULL CHECK (NOT isempty(valid)),
        working_days integer NOT NULL CHECK (working_days > 0),
        source text NOT NULL,
        PRIMARY KEY (step, between_provinces, valid WITHOUT OVERLAPS)
    )
    """,
    """
    INSERT INTO transfer_term (step, between_provinces, valid, working_days, source)
    SELECT step, between_provinces, '[2000-01-01,)', CASE WHEN between_provinces THEN far ELSE near END,
        'Thủ tục chuyển trường; nguồn thứ cấp, cần đối chiếu văn bản'
    FROM (VALUES ('opened', 5, 8), ('accepted', 3, 3), ('released', 5, 5)) AS term(step, near, far)
    CROSS JOIN (VALUES (false), (true)) AS place(between_provinces)
    """,
    """
    CREATE TABLE transfer (
        transfer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        releasing_id bigint NOT NULL,
        pupil_key text COLLATE "C" NOT NULL,
        school_year integer NOT NULL,
        receiving_id bigint NOT NULL CHECK (receiving_id <> releasing_id),
        receiving_key text COLLATE "C" NOT NULL,
        between_provinces boolean NOT NULL,
        opened_by_receiving boolean NOT NULL,
        state text NOT NULL,
        due_date date,
        term_source text NOT NULL,
        state_time timestamptz NOT NULL,
        create_time timestamptz NOT NULL,
        told_late date, -- the due date whose passing has been told
        request_id text COLLATE "C" NOT NULL,
        digest bytea NOT NULL,
        opener_id bigint NOT NULL,
        CHECK ((due_date IS NULL) = (state IN ('placed', 'refused', 'withdrawn'))),
        UNIQUE (opener_id, request_id)
    )
    """,
    """
    CREATE UNIQUE INDEX transfer_under_way ON transfer (releasing_id, pupil_key)
        WHERE state IN ('opened', 'accepted', 'released')
    """,
    "CREATE INDEX transfer_pupil ON transfer (releasing_id, pupil_key)",
    "CREATE INDEX transfer_receiving ON transfer (receiving_id)",
    "CREATE INDEX transfer_due ON transfer (due_date) WHERE due_date IS NOT NULL",
    """
    CREATE TABLE transfer_step (
        transfer_id bigint NOT NULL REFERENCES transfer (transfer_id),
        number integer NOT NULL,
        state text NOT NULL,
        side text NOT NULL,
        note text NOT NULL,
        step_by text NOT NULL,
        step_time timestamptz NOT NULL,
        PRIMARY KEY (transfer_id, number)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
