"""Whether addresses were confirmed and are reached, and the codes by which they are confirmed.

Addresses from before count as confirmed: they are in use.
"""

from alembic import op

revision = "0007_pre"
down_revision = "0006_pre"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE contact
    ADD COLUMN email_confirmed boolean NOT NULL DEFAULT true,
    ADD COLUMN phone_confirmed boolean NOT NULL DEFAULT true,
    ADD COLUMN email_failure text NOT NULL DEFAULT '',
    ADD COLUMN phone_failure text NOT NULL DEFAULT '';
CREATE TABLE address_code (
    subject text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    code_hash text NOT NULL,
    matter_id bigint NOT NULL,
    expire_time timestamptz NOT NULL,
    tries_left integer NOT NULL,
    sent_time timestamptz NOT NULL,
    day_time timestamptz NOT NULL,
    day_count integer NOT NULL,
    PRIMARY KEY (subject, channel)
)
"""


def upgrade() -> None:
    for statement in filter(str.strip, TABLES.split(";")):
        op.execute(statement)
