"""The tables of notify, as its migrations make them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.tail import newest_table

metadata = sa.MetaData()
newest_table(metadata)
_INSTANT = sa.DateTime(timezone=True)

matter_table = sa.Table(
    "matter",
    metadata,
    sa.Column(
        "alert_id", sa.BigInteger, primary_key=True, autoincrement=False, comment="The alert; below zero: no alert's."
    ),
    sa.Column("version", sa.BigInteger, nullable=False, comment="Rises with each change; an older one is dropped."),
    sa.Column("unit_id", sa.BigInteger, nullable=False, comment="Unit it is about."),
    sa.Column("unit_name", sa.Text, nullable=False, comment="Name of that unit when it was told."),
    sa.Column("title_vi", sa.Text, nullable=False, comment="Title in Vietnamese."),
    sa.Column("title_en", sa.Text, nullable=False, comment="Title in English."),
    sa.Column("body_vi", sa.Text, nullable=False, comment="Text in Vietnamese."),
    sa.Column("body_en", sa.Text, nullable=False, comment="Text in English."),
    sa.Column("severity", sa.Text, nullable=False, comment="info, warning or critical."),
    sa.Column("resolved", sa.Boolean, nullable=False, comment="Whether it has been resolved since."),
    sa.Column("taken_by", sa.Text, nullable=False, comment="Who took it in hand; empty: nobody."),
    sa.Column("topic", sa.Text, nullable=False, comment="alert, announcement, or what the asking service says."),
    sa.Column("link", sa.Text, nullable=False, comment="Path in the console where it is dealt with; empty: none."),
    sa.Column("due_time", _INSTANT, comment="Until when something is asked; NULL: nothing is."),
    sa.Column("announcement_id", sa.BigInteger, nullable=False, comment="The announcement it brings; 0: none."),
    sa.Column("recalled", sa.Boolean, nullable=False, comment="Whether it was taken back."),
    sa.Column("alert_count", sa.Integer, nullable=False, comment="Alerts it tells together; 0: it is no group."),
    sa.Column("open_count", sa.Integer, nullable=False, comment="Of these, how many are not resolved."),
    sa.Column("only_alert_id", sa.BigInteger, nullable=False, comment="The alert of a group of one; else 0."),
    comment="What there is to tell, once for all who are told.",
)
notice_table = sa.Table(
    "notice",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True, comment="Whose inbox."),
    sa.Column("notice_id", sa.BigInteger, primary_key=True, autoincrement=False, comment="Position of its delivery."),
    sa.Column("alert_id", sa.BigInteger, nullable=False, comment="The matter."),
    sa.Column("because", sa.Text, nullable=False, comment="Why this person: the role held, and where."),
    sa.Column("state", sa.SmallInteger, nullable=False, comment="1 unread, 2 read, 3 acknowledged."),
    sa.Column("create_time", _INSTANT, nullable=False, comment="When it was delivered."),
    sa.Column("read_time", _INSTANT, comment="When it was opened."),
    sa.Column("acknowledge_time", _INSTANT, comment="When it was confirmed."),
    sa.Column("position", sa.BigInteger, nullable=False, comment="Position of the last change; commit order."),
    sa.UniqueConstraint("subject", "alert_id", name="notice_once"),
    sa.Index("notice_by_alert", "alert_id"),
    sa.Index("notice_by_position", "subject", "position"),
    comment="Who was told what.",
)
request_table = sa.Table(
    "request",
    metadata,
    sa.Column("source", sa.Text, primary_key=True, comment="Service that asked."),
    sa.Column("key", sa.Text, primary_key=True, comment="What it calls the thing told."),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="Newest text that was delivered."),
    sa.Column("matter_id", sa.BigInteger, nullable=False, comment="Its matter, below zero."),
    comment="What other services asked to be told, each once a revision.",
)
silence_table = sa.Table(
    "silence",
    metadata,
    sa.Column("school_id", sa.BigInteger, primary_key=True, autoincrement=False, comment="The school."),
    sa.Column("version", sa.BigInteger, nullable=False, comment="Time of the event it is known from, in microseconds."),
    sa.Column("must_connect", sa.Boolean, nullable=False, comment="Whether it has to send."),
    sa.Column("since", _INSTANT, comment="Since when nothing was accepted; NULL: no clock runs."),
    comment="Since when each school has sent nothing.",
)
announcement_table = sa.Table(
    "announcement",
    metadata,
    sa.Column("announcement_id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id."),
    sa.Column("unit_id", sa.BigInteger, nullable=False, comment="Issuing unit."),
    sa.Column(
        "state", sa.SmallInteger, nullable=False, comment="1 draft, 2 approved, 3 scheduled, 4 sent, 5 recalled."
    ),
    sa.Column("revision", sa.Integer, nullable=False, comment="Rises with each change."),
    sa.Column("title_vi", sa.Text, nullable=False, comment="Title in Vietnamese."),
    sa.Column("title_en", sa.Text, nullable=False, comment="Title in English."),
    sa.Column("body_vi", sa.Text, nullable=False, comment="Text in Vietnamese."),
    sa.Column("body_en", sa.Text, nullable=False, comment="Text in English."),
    sa.Column("severity", sa.Text, nullable=False, comment="info, warning or critical."),
    sa.Column("audience", JSONB, nullable=False, comment="The rule by which its audience is found."),
    sa.Column("due_time", _INSTANT, comment="Until when it is to be confirmed or answered."),
    sa.Column("receipt_required", sa.Boolean, nullable=False, comment="Whether each reader is to confirm it."),
    sa.Column("form", JSONB, nullable=False, comment="What each reader is to answer."),
    sa.Column("reminder_hours", ARRAY(sa.Integer), nullable=False, comment="Hours before the due time to remind at."),
    sa.Column("created_by", sa.Text, nullable=False, comment="Who wrote it."),
    sa.Column("create_time", _INSTANT, nullable=False, comment="When it was begun."),
    sa.Column("approved_by", sa.Text, nullable=False, comment="Who approved it; empty: nobody."),
    sa.Column("send_time", _INSTANT, comment="When it leaves."),
    sa.Column("sent_time", _INSTANT, comment="When its audience was resolved."),
    sa.Column("remind_time", _INSTANT, comment="When it reminds by itself next; NULL: no more."),
    sa.Column("recalled_by", sa.Text, nullable=False, comment="Who took it back; empty: nobody."),
    sa.Column("recall_reason", sa.Text, nullable=False, comment="Why."),
    sa.Column("failure", sa.Text, nullable=False, comment="Why it could not leave; empty: nothing stood in the way."),
    sa.Column("recipient_count", sa.Integer, nullable=False, comment="How many people it went to."),
    sa.Column("matter_id", sa.BigInteger, comment="Its matter once it was sent."),
    sa.Column("request_id", sa.Text, comment="Makes its beginning idempotent for its writer."),
    comment="What units announce.",
)
attachment_table = sa.Table(
    "attachment",
    metadata,
    sa.Column("attachment_id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id."),
    sa.Column("announcement_id", sa.BigInteger, nullable=False, comment="The announcement."),
    sa.Column("name", sa.Text, nullable=False, comment="Name of the file."),
    sa.Column("media_type", sa.Text, nullable=False, comment="Type, by its content."),
    sa.Column("size", sa.BigInteger, nullable=False, comment="Bytes."),
    sa.Column("sha256", sa.Text, nullable=False, comment="Digest of the content, which lies in the object store."),
    comment="Files that go with announcements.",
)
announcement_unit_table = sa.Table(
    "announcement_unit",
    metadata,
    sa.Column("announcement_id", sa.BigInteger, primary_key=True, comment="The announcement."),
    sa.Column("unit_id", sa.BigInteger, primary_key=True, comment="A unit of its audience."),
    sa.Column("recipient_count", sa.Integer, nullable=False, comment="People told for it; 0: nobody is there."),
    comment="Units that an announcement is for.",
)
receipt_table = sa.Table(
    "receipt",
    metadata,
    sa.Column("announcement_id", sa.BigInteger, primary_key=True, comment="The announcement."),
    sa.Column("subject", sa.Text, primary_key=True, comment="Who."),
    sa.Column("unit_id", sa.BigInteger, nullable=False, comment="Unit he or she is told for."),
    sa.Column("because", sa.Text, nullable=False, comment="Why: the role held, and where."),
    sa.Column(
        "progress", sa.SmallInteger, nullable=False, comment="1 on its way, 2 in the inbox, 3 taken back before."
    ),
    sa.Column("answers", JSONB, comment="What was answered; NULL: nothing yet."),
    sa.Column("answer_time", _INSTANT, comment="When it was answered last."),
    sa.Column("reminder_count", sa.Integer, nullable=False, comment="How often he or she was reminded."),
    sa.Column("reminder_time", _INSTANT, comment="When he or she was reminded last; NULL: never, or not known."),
    comment="Who an announcement is for, and what each answered; opening and confirming stand with the notice.",
)
