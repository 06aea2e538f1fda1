"""Mails that come back later: where they come back to, what they say, and how often an address did not take one.

Messages from before have no address to come back to.
"""

from alembic import op

revision = "0008_pre"
down_revision = "0007_pre"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE dispatch
    ADD COLUMN return_token text,
    DROP CONSTRAINT dispatch_state_check,
    ADD CONSTRAINT dispatch_state_check CHECK (state BETWEEN 1 AND 6) NOT VALID;
ALTER TABLE contact
    ADD COLUMN email_bounces integer NOT NULL DEFAULT 0,
    ADD COLUMN email_bounces_since timestamptz;
CREATE TABLE bounce (
    dispatch_id uuid NOT NULL,
    digest text NOT NULL,
    time timestamptz NOT NULL,
    fate text NOT NULL,
    status text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (dispatch_id, digest)
)
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
