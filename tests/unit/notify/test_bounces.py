"""What mail systems say of mails that come back is read from all of them, and nothing they send breaks the reader."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.convert.bounces import MOST_DETAIL, bounce_in
from services.notify.domain.bounces import Fate, ReturnPath
from services.notify.domain.channels import Channel, Contact
from services.notify.domain.statuses import meaning_of
from tests.unit.notify import returned

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
MONTH = timedelta(days=30)
DOMAIN = "tra-lai.example.vn"


@pytest.mark.parametrize(
    ("system", "fate", "status", "no_address"),
    [
        ("POSTFIX", Fate.FAILED, "5.1.1", True),
        ("EXIM", Fate.FAILED, "5.0.0", True),
        ("SENDMAIL", Fate.FAILED, "5.1.2", True),
        ("GMAIL", Fate.FAILED, "5.1.1", True),
        ("EXCHANGE", Fate.FAILED, "5.1.10", True),
        ("FORWARDED", Fate.FAILED, "5.1.6", True),
        ("GLOBAL", Fate.FAILED, "5.1.1", True),
        ("ENCODED", Fate.FAILED, "5.1.1", True),
        ("FULL", Fate.FAILED, "5.2.2", False),
        ("AWAY", Fate.FAILED, "4.4.1", False),
        ("BLOCKED", Fate.FAILED, "5.7.1", False),
        ("DELAYED", Fate.DELAYED, "4.4.1", False),
        ("OUT_OF_OFFICE", Fate.UNREADABLE, "", False),
        ("QMAIL", Fate.FAILED, "5.1.1", True),
        ("QMAIL_REMOTE", Fate.FAILED, "", True),
        ("QMAIL_WAITED", Fate.FAILED, "4.4.3", False),
        ("CHATTY", Fate.UNREADABLE, "", False),
    ],
)
def test_the_notification_of_each_mail_system_is_understood(
    system: str, fate: Fate, status: str, *, no_address: bool
) -> None:
    """What became of the mail, by which status, and whether it is the address; never from what it quotes."""
    bounce = bounce_in(returned.EVERY[system])

    assert (bounce.fate, bounce.status, bounce.no_address) == (fate, status, no_address)
    assert len(bounce.detail) <= MOST_DETAIL


def test_what_no_reader_understands_keeps_its_subject() -> None:
    """So that an operator sees that it was no notification."""
    assert bounce_in(returned.CHATTY).detail == "failure notice"


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("550 5.1.1 <x@y.vn>: Recipient address rejected", "không có hộp thư này"),
        ("smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound", "không nhận thư"),
        ("452-4.2.2 The email account is over quota", "đã đầy"),
        ("550 5.7.26 unauthenticated", "chặn thư này"),
        ("5.1.8", "không đúng hoặc không còn dùng"),
        ("550 no such user at 203.5.1.1", "không có hộp thư này"),
        ("421 busy", "Không kết nối được"),
        ("500 x 5.9.9", "Bên nhận không nhận"),
        ("refused", "Bên nhận không nhận"),
    ],
)
def test_what_a_server_says_is_told_in_words_by_its_status(said: str, means: str) -> None:
    """The enhanced status first, its class where it is not known, else the reply code; addresses are no status."""
    vi, en = meaning_of(said)

    assert means in vi
    assert not en.endswith(".")


@given(
    mail=st.sampled_from(sorted(returned.EVERY.values())),
    cuts=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 60), st.binary(max_size=12)), max_size=6),
)
def test_whatever_is_cut_out_of_a_notification_or_put_into_it_is_read_without_failing(
    mail: bytes, cuts: list[tuple[int, int, bytes]]
) -> None:
    """A stranger's mail is never a reason to stop; what is kept of it fits a database's text."""
    for place, length, put in cuts:
        mail = mail[:place] + put + mail[place + length :]

    bounce = bounce_in(mail)

    assert bounce.detail.isprintable()
    assert bounce.no_address in (True, False)


@given(st.binary(max_size=400))
def test_bytes_that_are_no_mail_are_read_without_failing(raw: bytes) -> None:
    """They say nothing."""
    assert bounce_in(raw).fate is Fate.UNREADABLE


def test_parts_within_parts_without_end_say_nothing() -> None:
    """Deeper than the reader can go."""
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(3000))

    assert bounce_in(deep).fate is Fate.UNREADABLE


def test_a_return_path_is_read_back_in_whatever_case_and_brackets() -> None:
    """Servers change case; and it fits the 64 octets of a local part."""
    path = ReturnPath(uuid4(), "00112233445566778899aabb")
    address = path.address(DOMAIN)

    assert ReturnPath.read(address, DOMAIN) == path
    assert ReturnPath.read(f"<{address.upper()}>", DOMAIN) == path
    assert len(address.partition("@")[0]) <= 64
    for other in (path.address("example.vn"), f"{path.dispatch_id}@{DOMAIN}", f"postmaster@{DOMAIN}", "", "@"):
        assert ReturnPath.read(other, DOMAIN) is None


def test_mails_that_come_back_are_counted_within_some_days_and_forgotten_with_the_address() -> None:
    """One a year gives nobody's address up; a confirmed or another address begins anew."""
    contact = Contact(email="a@example.vn", email_confirmed=True)
    twice = contact.bounced(NOW, within=MONTH).bounced(NOW + timedelta(days=29), within=MONTH)

    assert twice.email_bounces == 2
    assert twice.bounced(NOW + timedelta(days=31), within=MONTH).email_bounces == 1
    assert Contact(email="a@example.vn").following(twice).email_bounces == 2
    assert Contact(email="b@example.vn").following(twice).email_bounces == 0
    assert twice.known_as(Channel.EMAIL, confirmed=True).email_bounces == 0
