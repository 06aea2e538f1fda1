"""How mails are written."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from hypothesis import given
from hypothesis import strategies as st

from services.notify.clients.email import WholeSubjects

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
