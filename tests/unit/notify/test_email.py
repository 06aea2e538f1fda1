"""How mails are written."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.clients.email import WholeSubjects
from services.notify.domain.bounces import is_no_address

WORDS = ("Trường", "Mầm", "non", "Cà", "Dy", "còn", "12", "lớp", "2026-11-26", "[Cần", "—", "“Đại", "a")


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=40))
def test_a_subject_arrives_with_all_its_spaces_in_lines_a_server_takes(words: list[str]) -> None:
    """However long: folding loses nothing, and no line is over 78 characters (RFC 5322, 2.1.1)."""
    mail = EmailMessage(WholeSubjects(linesep="\r\n"))
    mail["Subject"] = " ".join(words)
    mail.set_content("x")
    sent = mail.as_bytes()
    assert message_from_bytes(sent, policy=default)["Subject"] == " ".join(words)
    assert max(len(line) for line in sent.split(b"\r\n")) <= 78


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (550, "5.1.1 <a@b.vn>: Recipient address rejected: User unknown", True),
        (550, "#5.1.0 Address rejected.", True),
        (550, "no such user here", True),
        (550, "5.2.1 The account is disabled", True),
        (550, "5.7.1 Service unavailable, client host blocked using a list", False),
        (554, "5.7.1 <a@b.vn>: Relay access denied", False),
        (554, "refused for policy reasons", False),
        (552, "5.2.2 mailbox full", False),
        (553, "5.1.8 sender address rejected: domain not found", False),
        (450, "4.1.1 try again", False),
    ],
)
def test_an_address_is_given_up_only_where_the_server_says_that_it_is_none(
    code: int, said: str, *, expected: bool
) -> None:
    """Our own server barred somewhere must not cost everybody the address."""
    assert is_no_address(code, said) is expected
