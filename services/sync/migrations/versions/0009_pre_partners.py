"""Make room for partners: who they are, the keys by which they sign, for whom they push, and what they try out."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE partner (
    partner_id text COLLATE "C" PRIMARY KEY,
    unit_id bigint NOT NULL,
    display_name text NOT NULL,
    contact text NOT NULL,
    state smallint NOT NULL,
    state_reason text NOT NULL,
    state_by text NOT NULL,
    state_time timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL,
    created_by text NOT NULL
);
COMMENT ON TABLE partner IS 'Vendors whose systems push. The id is the subject of their tokens.';
COMMENT ON COLUMN partner.unit_id IS 'The unit that registered it and answers for it, 0: all units.';
COMMENT ON COLUMN partner.revision IS 'Rises with every change: the etag.';

CREATE TABLE partner_key (
    partner_id text COLLATE "C" NOT NULL REFERENCES partner (partner_id),
    kid text COLLATE "C" NOT NULL,
    algorithm text NOT NULL,
    jwk jsonb NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    revoke_time timestamptz,
    revoked_by text NOT NULL DEFAULT '',
    revoke_reason text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (partner_id, kid),
    CHECK (jwk -> 'd' IS NULL)
);
COMMENT ON TABLE partner_key IS 'Public keys by which partners sign, never removed, so that no kid comes again.';

CREATE TABLE partner_connection (
    unit_id bigint NOT NULL,
    connection_id bigint GENERATED ALWAYS AS IDENTITY,
    partner_id text COLLATE "C" NOT NULL REFERENCES partner (partner_id),
    collections text[] NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    grant_id bigint NOT NULL,
    connected_by text NOT NULL,
    reason text NOT NULL,
    create_time timestamptz NOT NULL,
    ended_by text NOT NULL DEFAULT '',
    end_reason text NOT NULL DEFAULT '',
    end_time timestamptz,
    handed_over_from bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (unit_id, connection_id)
);
CREATE INDEX partner_connection_partner ON partner_connection (partner_id, connection_id);
COMMENT ON TABLE partner_connection IS 'Why a partner holds its grant on a unit, for what and when, ended ones too.';
COMMENT ON COLUMN partner_connection.grant_id IS 'The grant in records, which says whether it may.';

CREATE TABLE sandbox (
    partner_id text COLLATE "C" PRIMARY KEY REFERENCES partner (partner_id),
    unit_id bigint NOT NULL UNIQUE,
    school_ids bigint[] NOT NULL,
    aliases text[] NOT NULL,
    reset_count integer NOT NULL DEFAULT 0,
    reset_time timestamptz,
    create_time timestamptz NOT NULL
);
COMMENT ON TABLE sandbox IS 'Where partners try things out. Records made its units, and it alone can empty them.';
COMMENT ON COLUMN sandbox.reset_count IS 'Makes what is sent after a reset new to records, also under an old batch id.';

CREATE TABLE sandbox_push (
    unit_id bigint NOT NULL,
    push_id bigint GENERATED ALWAYS AS IDENTITY,
    batch_id text NOT NULL,
    kind smallint NOT NULL,
    self_signed boolean NOT NULL,
    row_count integer NOT NULL,
    shown jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (unit_id, push_id)
);
COMMENT ON TABLE sandbox_push IS 'What came into sandboxes, to be judged. Goes when the sandbox is emptied.';
COMMENT ON COLUMN sandbox_push.unit_id IS 'The root of the sandbox.';
COMMENT ON COLUMN sandbox_push.shown IS 'Its rows: keys, versions and what became of them, never their contents.';
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
