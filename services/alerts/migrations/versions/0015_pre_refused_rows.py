"""An alert on refused rows does not come and go with a share that swings about its limit.

Sync tells of a school when its state changes, so that the share is known as of then: what ends the alert is that the
share was low enough, or that the school has been out of that state for a day.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0015_pre"
down_revision = "0014_pre"
branch_labels = None
depends_on = None

CHANGED = {
    "version": 3,
    "clear_condition": (
        '!fact.must_connect || (fact.reason != "MANY_REJECTED" && (fact.state == "failing" || fact.state == "silent"'
        " || fact.rejected_share < 0.1 || fact.state_hours >= 24))"
    ),
    "source_document": (
        "Ngưỡng của trung tâm: từ một phần năm của ít nhất 20 dòng trong 7 ngày; đóng khi còn dưới một phần mười,"
        " hoặc sau 24 giờ không còn ở trạng thái lỗi"
    ),
    "change_note": "Không đóng, mở liên tục khi tỷ lệ dao động quanh ngưỡng",
}


def upgrade() -> None:
    copy = sa.text(
        "INSERT INTO rule SELECT (jsonb_populate_record(before, CAST(:changed AS jsonb))).* FROM rule AS before"
        " WHERE code = 'rejected_rows' AND version = 2 ON CONFLICT DO NOTHING"
    )
    op.execute(copy.bindparams(changed=json.dumps(CHANGED)))
