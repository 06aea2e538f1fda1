"""Mails as mail systems send them back, written after RFC 3461 to 3464 and 6533 in the manner of each system."""

PATH = "0123456789abcdef0123456789abcdef-00112233445566778899aabb@tra-lai.example.vn"


def report(*groups: str, kind: str = "message/delivery-status", head: str = "", coding: str = "") -> bytes:
    """A `multipart/report` with these groups of fields in its second part, and a piece of the mail in its third."""
    status = "\n\n".join(groups)
    return f"""Return-Path: <>
{head}Date: Thu, 26 Nov 2026 10:00:00 +0700
From: MAILER-DAEMON@mx.example.vn (Mail Delivery System)
To: {PATH}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="A1B2C3/mx.example.vn"

This is a MIME-encapsulated message.

--A1B2C3/mx.example.vn
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--A1B2C3/mx.example.vn
Content-Description: Delivery report
Content-Type: {kind}
{coding}
{status}

--A1B2C3/mx.example.vn
Content-Description: Undelivered Message
Content-Type: text/rfc822-headers

Subject: =?utf-8?q?L=E1=BB=9Bp_1A?=
Action: delivered
Status: 2.0.0

--A1B2C3/mx.example.vn--
""".replace("\n", "\r\n").encode()


POSTFIX = report(
    "Reporting-MTA: dns; mx.example.vn\nX-Postfix-Queue-ID: 4Rz\nArrival-Date: Thu, 26 Nov 2026 09:59:58 +0700",
    "Final-Recipient: rfc822; head@truong.example.vn\nOriginal-Recipient: rfc822;head@truong.example.vn\n"
    "Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mail.truong.example.vn\n"
    "Diagnostic-Code: smtp; 550 5.1.1 <head@truong.example.vn>: Recipient address\n"
    "    rejected: User unknown in local recipient table",
)
EXIM = report(
    "Reporting-MTA: dns; exim.example.vn",
    "Action: failed\nFinal-Recipient: rfc822;head@truong.example.vn\nStatus: 5.0.0\n"
    "Remote-MTA: dns; mail.truong.example.vn\nDiagnostic-Code: smtp; 550 No such user here",
    head="X-Failed-Recipients: head@truong.example.vn\n",
)
SENDMAIL = report(
    "Reporting-MTA: dns; sendmail.example.vn\nReceived-From-MTA: DNS; relay.example.vn",
    "Final-Recipient: RFC822; head@truong.example.vn\nAction: failed\nStatus: 5.1.2\n"
    "Remote-MTA: DNS; truong.example.vn\n"
    "Diagnostic-Code: DNS; truong.example.vn\nLast-Attempt-Date: Thu, 26 Nov 2026 10:00:00 +0700",
)
GMAIL = report(
    "Reporting-MTA: dns; googlemail.com\nReceived-From-MTA: dns; tin@example.vn\nX-Original-Message-ID: <1@example.vn>",
    "Final-Recipient: rfc822; head@gmail.com\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not\n"
    " 550 5.1.1 exist. Please try double-checking the recipient's email address",
)
EXCHANGE = report(
    "Reporting-MTA: dns;APC01.prod.outlook.example\nReceived-From-MTA: dns;relay.example.vn",
    "Final-Recipient: rfc822;head@truong.example.vn\nAction: failed\nStatus: 5.1.10\n"
    "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
)
FULL = report(
    "Reporting-MTA: dns; zimbra.example.vn",
    "Final-Recipient: rfc822; head@truong.example.vn\nAction: failed\nStatus: 5.2.2\n"
    "Diagnostic-Code: smtp; 552 5.2.2 Over quota",
)
AWAY = report(
    "Reporting-MTA: dns; mx.example.vn",
    "Final-Recipient: rfc822; head@truong.example.vn\nAction: failed\nStatus: 4.4.1\n"
    "Diagnostic-Code: X-Postfix; connect to mail.truong.example.vn[192.0.2.1]:25: Connection timed out",
)
BLOCKED = report(
    "Reporting-MTA: dns; mx.example.vn",
    "Final-Recipient: rfc822; head@truong.example.vn\nAction: failed\nStatus: 5.7.1\n"
    "Diagnostic-Code: smtp; 550 5.7.1 Service unavailable; client host blocked",
)
DELAYED = report(
    "Reporting-MTA: dns; mx.example.vn",
    "Final-Recipient: rfc822; head@truong.example.vn\nAction: delayed\nStatus: 4.4.1\n"
    "Diagnostic-Code: X-Postfix; connect to mail.truong.example.vn[192.0.2.1]:25: Connection refused\n"
    "Will-Retry-Until: Tue, 1 Dec 2026 10:00:00 +0700",
)
FORWARDED = report(
    "Reporting-MTA: dns; mx.example.vn",
    "Final-Recipient: rfc822; a@example.vn\nAction: relayed\nStatus: 2.0.0",
    "Final-Recipient: rfc822; b@example.vn\nAction: FAILED (gone)\nStatus: 5.1.6 (moved)",
)
GLOBAL = report(
    "Reporting-MTA: dns; mx.example.vn",
    "Final-Recipient: utf-8; hiệu-trưởng@trường.example.vn\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550 5.1.1 không có hộp thư này",
    kind="message/global-delivery-status",
)
ENCODED = report(
    "UmVwb3J0aW5nLU1UQTogZG5zOyBteC5leGFtcGxlLnZuCgpGaW5hbC1SZWNpcGllbnQ6IHJmYzgyMjsgaGVhZEBleGFtcGxlLnZuCkFjdGlv\n"
    "bjogZmFpbGVkClN0YXR1czogNS4xLjEK",
    coding="Content-Transfer-Encoding: base64\n",
)
OUT_OF_OFFICE = (
    b"From: head@truong.example.vn\r\nTo: x@tra-lai.example.vn\r\nAuto-Submitted: auto-replied\r\n"
    b"Subject: =?utf-8?q?V=E1=BA=AFng?=\r\n\r\nStatus: 5.1.1\r\nAction: failed\r\n"
)
_QMAIL = b"From: MAILER-DAEMON@qmail.example.vn\r\nSubject: failure notice\r\n\r\n"
_SORRY = (
    b"Hi. This is the qmail-send program at qmail.example.vn.\r\n"
    b"I'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
    b"This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n"
)
_COPY = b"\r\n--- Below this line is a copy of the message.\r\n\r\n<x@y.vn>:\r\n550 5.2.2 quoted\r\n"
QMAIL = _QMAIL + _SORRY + b"<head@truong.example.vn>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n" + _COPY
QMAIL_REMOTE = (
    _QMAIL + _SORRY + b"<head@truong.example.vn>:\r\n203.0.113.5 does not like recipient.\r\n"
    b"Remote host said: 550 no such user here\r\nGiving up on 203.0.113.5.\r\n" + _COPY
)
QMAIL_WAITED = (
    _QMAIL + _SORRY + b"<head@truong.example.vn>:\r\nCNAME lookup failed temporarily. (#4.4.3)\r\n"
    b"I'm not going to try again; this message has been in the queue too long.\r\n" + _COPY
)
CHATTY = (
    b"From: head@truong.example.vn\r\nSubject: failure notice\r\n\r\nHi. This is the head teacher. I am away.\r\n\r\n"
    b"<head@truong.example.vn>:\r\n550 5.1.1 is what your server said last week.\r\n"
)
EVERY = {name: mail for name, mail in globals().items() if name.isupper() and isinstance(mail, bytes)}
